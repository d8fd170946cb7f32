#!/usr/bin/env python3
"""Makes a language model that is small enough to be computed on any CPU, out of nothing but what Python brings.

usage: make_tiny_model.py DIRECTORY

The tokenizer is a real one: byte-level BPE, trained on the English of Python's own help texts. The network is a real
Llama of two layers whose weights are random, so its answers are words without sense, and they end only where the
request's `max_tokens` ends them. Counting, streaming, caching and cancelling are the engine's own and do not care.
The same versions of Python, torch and tokenizers make the same model again.
"""

import sys
from pathlib import Path
from pydoc_data.topics import topics

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SEED = 20261123
VOCABULARY_SIZE = 4096
CONTEXT_TOKENS = 4096
UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
ROLES = ("system", "user", "assistant", "tool")

# One message is `<|role|>text</s>`; the engine goes on after an opened `<|assistant|>`. Content may come as a list of
# parts; those that are text count.
CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{{- '<|' + ('system' if message.role == 'developer' else message.role) + '|>' -}}
{%- if message.content is string -%}
{{- message.content -}}
{%- else -%}
{%- for part in message.content or [] -%}{%- if part.type == 'text' -%}{{- part.text -}}{%- endif -%}{%- endfor -%}
{%- endif -%}
{{- eos_token -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""


def make_tokenizer():
    """A byte-level BPE tokenizer: every text can be written with it, and reading back gives the same text."""
    tokenizer = Tokenizer(BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        initial_alphabet=ByteLevel.alphabet(),
        special_tokens=[UNKNOWN, BEGIN, END, *(f"<|{role}|>" for role in ROLES)],
        show_progress=False,
    )
    tokenizer.train_from_iterator((topics[name] for name in sorted(topics)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT_TOKENS,
    )


def make_network(tokenizer):
    """Two layers of a Llama with random weights."""
    torch.manual_seed(SEED)
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=CONTEXT_TOKENS,
        num_hidden_layers=2,
        hidden_size=128,
        intermediate_size=384,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(shape).to(torch.bfloat16)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    network = make_network(tokenizer)
    tokenizer.save_pretrained(directory)
    network.save_pretrained(directory)
    print(f"{network.num_parameters():,} weights, {len(tokenizer):,} tokens in the vocabulary")


if __name__ == "__main__":
    main()
