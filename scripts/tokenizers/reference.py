#!/usr/bin/env python3
"""Vocabularies of each form that Tollgate counts with, and the ids that Hugging Face's tokenizers gives mixed text.

usage: reference.py DIRECTORY MEGABYTES SEED

Trains the vocabularies on text made here and on the sources of Python's own library, then writes into DIRECTORY:
NAME.json      the tokenizer
texts.bin      texts of MEGABYTES in all: 32-bit length, UTF-8
NAME.ids       for each text: 32-bit count, 32-bit ids (little-endian)
"""

import json
import pathlib
import random
import struct
import sys
import sysconfig
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

NEWER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>"]
# First and last scalar of letters (with their marks) of many scripts.
SCRIPTS = [
    (0x61, 0x7A), (0x61, 0x7A), (0x41, 0x5A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587),
    (0x5D0, 0x5EA), (0x620, 0x64A), (0x900, 0x97F), (0x980, 0x9FF), (0xB80, 0xBFF), (0xE01, 0xE3A), (0xE80, 0xEFF),
    (0xF00, 0xFBC), (0x10A0, 0x10FF), (0x1200, 0x137F), (0x1780, 0x17FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF),
    (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x5200), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1100, 0x11FF),
    (0xFF61, 0xFF9F), (0x20000, 0x20100), (0x10400, 0x1044F), (0x1D400, 0x1D4FF),
]
SPACES = [" ", " ", " ", "  ", "\n", "\n\n", "\r\n", "\t", "\r", "\x0b", "\x0c", "\x85", "\xa0", "\u3000", "\u2028", "\u2003"]
EMOJI = ["😀", "👩‍🚀", "🇩🇪", "👍🏽", "❤️", "🏳️‍🌈", "1️⃣", "🤦🏼‍♂️", "☺", "🫠"]
SHORT = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Re", "'\u017f", "'", "''", "’s", "don't", "I'LL"]


class Mixer:
    """Makes text of everything that tokenizers treat apart."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        library = pathlib.Path(sysconfig.get_paths()["stdlib"])
        files = sorted(library.glob("*.py")) + sorted(library.glob("email/*.py"))
        self.sources = [path.read_text(encoding="utf-8", errors="ignore") for path in files[:150]]

    def word(self):
        first, last = self.random.choice(SCRIPTS)
        size = self.random.randint(1, 9)
        text = "".join(chr(self.random.randint(first, last)) for _ in range(size))
        if self.random.random() < 0.1:
            text = unicodedata.normalize(self.random.choice(["NFD", "NFC", "NFKD"]), text)
        if self.random.random() < 0.05:
            text += chr(self.random.randint(0x300, 0x36F)) * self.random.randint(1, 3)
        return text

    def scalar(self):
        while True:
            value = self.random.choice([self.random.randint(0, 0x10FFFF), self.random.randint(0, 0x2FFF)])
            if not 0xD800 <= value <= 0xDFFF:
                return chr(value)

    def piece(self):
        kind = self.random.random()
        choose = self.random.choice
        if kind < 0.45:
            return self.word() + choose(["", " ", " ", " ", ", ", ". ", "。", "、"])
        if kind < 0.60:
            source = choose(self.sources)
            start = self.random.randrange(max(len(source) - 400, 1))
            return source[start:start + self.random.randint(5, 400)]
        if kind < 0.70:
            return "".join(choose(SPACES) for _ in range(self.random.randint(1, 6)))
        if kind < 0.76:
            return "".join(choose("0123456789٣४Ⅷ½²𝟘") for _ in range(self.random.randint(1, 9)))
        if kind < 0.82:
            return choose(EMOJI) * self.random.randint(1, 3)
        if kind < 0.88:
            return choose(["", " ", "he", "X"]) + choose(SHORT) + choose(["", " ", "r", "e", "l"])
        if kind < 0.92:
            return "".join(choose("!?.,;:-_=+*/\\|<>()[]{}#@$%^&~`\"'") for _ in range(self.random.randint(1, 8)))
        if kind < 0.95:
            return "".join(self.scalar() for _ in range(self.random.randint(1, 4)))
        if kind < 0.97:
            return choose(["▁", "▁▁", " ▁", "▁ ", "<0x0A>", "a▁b"])
        if kind < 0.985:
            return choose(SPECIALS) + choose(["", " ", "  ", "\n", "x"])
        return "".join(chr(self.random.choice([*range(32), 127])) for _ in range(self.random.randint(1, 4)))

    def text(self, size):
        pieces, length = [], 0
        while length < size:
            pieces.append(self.piece())
            length += len(pieces[-1].encode())
        return "".join(pieces)


def byte_level(corpus, steps, normalizer=None, ignore_merges=False, normalized=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = steps
    if normalizer:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=6000, initial_alphabet=alphabet, show_progress=False))
    specials = [AddedToken(text, normalized=normalized) for text in SPECIALS[:3]]
    tokenizer.add_special_tokens(specials)
    return tokenizer.to_str()


def newer(numbers):
    split = pre_tokenizers.Split(Regex(NEWER % numbers), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def space_marks(corpus, form):
    """`form` changes the file: how the vocabulary was trained says nothing about how it is used."""
    fallback = ["<0x%02X>" % byte for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    if form == "reaching":
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        corpus = [text[start:start + 60] for text in corpus for start in range(0, len(text), 60)]
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=5000, limit_alphabet=700, special_tokens=["<unk>", "<s>", "</s>", *fallback], show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = [token for token in file["added_tokens"] if token["content"] not in fallback]
    if form in ("llama2", "reaching"):
        file["normalizer"] = {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
        file["pre_tokenizer"] = None
    else:
        scheme, split = form.split("-")
        file["normalizer"] = None
        file["pre_tokenizer"] = {
            "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split == "split"}
    return json.dumps(file)


def stripping(text):
    """The same file with tokens that take the white space around them."""
    file = json.loads(text)
    file["added_tokens"][0].update(lstrip=True)
    file["added_tokens"][1].update(rstrip=True)
    return json.dumps(file)


def main():
    directory, megabytes, seed = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    directory.mkdir(parents=True, exist_ok=True)
    mixer = Mixer(seed)
    corpus = [mixer.text(20_000) for _ in range(30)]
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    files = {
        "gpt2": byte_level(corpus, gpt2, normalized=True),
        "llama3": byte_level(corpus, newer("{1,3}"), ignore_merges=True),
        "qwen2": byte_level(corpus, newer(""), normalizer=normalizers.NFC()),
        "llama2": space_marks(corpus, "llama2"),
        "llama2-reaching": space_marks(corpus, "reaching"),
        "metaspace-first": space_marks(corpus, "first-whole"),
        "metaspace-always": space_marks(corpus, "always-split"),
        "metaspace-never": space_marks(corpus, "never-split"),
    }
    files["llama3-stripping"] = stripping(files["llama3"])
    texts, size = [], 0
    while size < megabytes * 1_000_000:
        texts.append(mixer.text(mixer.random.choice([1, 20, 300, 5000, 30_000])))
        size += len(texts[-1].encode())
    texts.append("")
    with open(directory / "texts.bin", "wb") as out:
        for text in texts:
            data = text.encode()
            out.write(struct.pack("<I", len(data)) + data)
    for name, file in files.items():
        (directory / f"{name}.json").write_text(file, encoding="utf-8")
        tokenizer = Tokenizer.from_str(file)
        with open(directory / f"{name}.ids", "wb") as out:
            for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
                out.write(struct.pack(f"<I{len(encoding.ids)}I", len(encoding.ids), *encoding.ids))


main()
