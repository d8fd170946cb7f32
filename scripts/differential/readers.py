#!/usr/bin/env python3
"""Writes random and mutated request bodies, each with what other readers take it for.

usage: readers.py SEED COUNT

A line of output is one body as JSON: `body` (Base64), `type` (its content-type), `surface`, and `readings`: of each reader
that accepts the body what it is asked for. The readers are Python's json, Go's encoding/json, llama.cpp's server and, for
forms, python-multipart read as Starlette reads it. Tests hold the gateway's own reading against these: whatever it accepts
it must have read as all of them do, and have reserved for the largest meaning.
"""

import base64
import json
import logging
import random
import re
import sys

MODEL_NAMES = ["m", "n", "gpt-x", "\u017f", "a b"]
LIMITS = ["max_tokens", "max_completion_tokens", "n_predict", "max_new_tokens", "min_tokens"]
CHOICES = ["n", "best_of", "n_cmpl", "num_return_sequences"]
OTHERS = ["temperature", "messages", "stop", "tools", "metadata", "user", "x", "stream_options", "response_format"]
FOLDS = {"s": "\u017f", "k": "\u212a"}


class Refused(Exception):
    pass


# MARK: Readers


def parse_pairs(text):
    """The members of the outermost object in their order, doubles and all."""

    class Pairs(list):
        pass

    value = json.loads(text, object_pairs_hook=Pairs, parse_constant=lambda name: (_ for _ in ()).throw(Refused()))
    if not isinstance(value, Pairs):
        raise Refused()
    return value


def fold(name):
    """Go's folding, as far as ASCII names are concerned."""
    name = name.replace("\u017f", "s").replace("\u212a", "k")
    return name.lower() if name.isascii() else name


def go_fields(pairs, names):
    """encoding/json: an exact name, else one that folds to it; the last one wins."""
    folded = {fold(name): name for name in names}
    fields = {}
    for key, value in pairs:
        if key in names:
            fields[key] = value
        elif fold(key) in folded:
            fields[folded[fold(key)]] = value
    return fields


def integer(value):
    """A count as lax readers take it: whole floats and digits in text too."""
    if isinstance(value, bool):
        raise Refused()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
        return int(value)
    if isinstance(value, int):
        return value
    raise Refused()


def truth(value):
    if isinstance(value, bool):
        return value
    if value in (0, 1) and not isinstance(value, str):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "on", "yes", "1", "y", "t"):
        return True
    if isinstance(value, str) and value.lower() in ("false", "off", "no", "0", "n", "f"):
        return False
    raise Refused()


def meaning(fields, limits, choices):
    """What an engine makes of the members: it takes the first limit of its list that is given, and null for none."""
    model = fields.get("model")
    if not isinstance(model, str):
        raise Refused()
    limit = None
    for name in limits:
        if fields.get(name) is not None:
            limit = integer(fields[name])
            break
    if limit is not None and not 0 <= limit < 2**63:
        limit = None
    count = 1
    for name in choices:
        if fields.get(name) is not None:
            count = max(count, integer(fields[name]))
    stream = fields.get("stream")
    return {
        # A lone surrogate is no character: readers put U+FFFD in its place.
        "model": re.sub("[\ud800-\udfff]", "\ufffd", model), "stream": truth(stream) if stream is not None else False,
        "limit": limit, "choices": min(count, 2**63 - 1)}


def json_readings(text):
    readings = {}
    names = ["model", "stream"] + LIMITS + CHOICES

    def reading(name, make):
        try:
            readings[name] = make()
        except (Refused, ValueError, RecursionError, TypeError, OverflowError):
            pass

    chat = (["max_completion_tokens", "max_tokens"], ["n", "best_of"])
    older = (["max_tokens"], ["n"])
    reading("python", lambda: meaning(dict(parse_pairs(text)), *chat))
    reading("python, older", lambda: meaning(dict(parse_pairs(text)), *older))
    reading("go", lambda: meaning(go_fields(parse_pairs(text), names), *chat))
    llama = (["n_predict", "max_tokens"], ["n_cmpl", "n"])
    reading("llama.cpp", lambda: meaning(dict(parse_pairs(text)), *llama))
    return readings


def form_readings(body, content_type):
    """As Starlette reads forms: python-multipart's events, and names from its parser of headers."""
    from python_multipart.multipart import MultipartParser, parse_options_header

    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        return {}
    fields, state = [], {}

    def begin():
        state.update(field=b"", value=b"", headers=[], data=b"")

    def end_header():
        state["headers"].append((state["field"].lower(), state["value"]))
        state.update(field=b"", value=b"")

    def headers_finished():
        disposition = dict(state["headers"]).get(b"content-disposition", b"")
        _, found = parse_options_header(disposition)
        state["name"] = found.get(b"name")
        state["is_file"] = b"filename" in found

    def append(key):
        def add(data, start, end):
            state[key] += data[start:end]

        return add

    def part_end():
        if state.get("name") is None:
            raise Refused()
        fields.append((state["name"].decode("utf-8", "replace"), state["data"], state["is_file"]))

    parser = MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": begin, "on_part_data": append("data"), "on_part_end": part_end,
            "on_header_field": append("field"), "on_header_value": append("value"), "on_header_end": end_header,
            "on_headers_finished": headers_finished,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
        values = {}
        for name, data, is_file in fields:
            values[name] = None if is_file else data.decode("utf-8")
        if not isinstance(values.get("model"), str):
            return {}
        stream = values.get("stream")
        return {
            "starlette": {
                "model": values["model"], "stream": truth(stream) if stream else False, "limit": None, "choices": 1}
        }
    except Exception:
        return {}


# MARK: Bodies


def spelt(rng, name):
    """A name as somebody might write it who wants two readers to differ."""
    how = rng.random()
    if how < 0.6:
        return name
    if how < 0.7:
        return "".join("\\u%04x" % ord(c) if rng.random() < 0.3 else c for c in name)
    place = rng.randrange(len(name))
    if how < 0.85:
        return name[:place] + name[place].upper() + name[place + 1:]
    letters = [i for i, c in enumerate(name) if c in FOLDS]
    if letters:
        place = rng.choice(letters)
        return name[:place] + FOLDS[name[place]] + name[place + 1:]
    return name + rng.choice(["", " ", "\\u0000", "_"])


def random_value(rng, name):
    if name == "model":
        return json.dumps(rng.choice(MODEL_NAMES), ensure_ascii=rng.random() < 0.5)
    if name == "stream":
        return rng.choice(["true", "false", "null", '"true"', "1", "true", "false"])
    if name in LIMITS or name in CHOICES:
        return rng.choice(
            ["1", "2", "7", "30", "3000", "-1", "0", "null", "1.0", "2.5", "1e2", '"9"', "true", "-0", "[3]",
             "9223372036854775807", "18446744073709551616", "5", "6"])
    return rng.choice(
        ["[]", "{}", "null", "1", '"x"', '[{"role":"user","content":"hi"}]', '{"a":"b","a":"c"}',
         '{"include_usage":true}', '{"n":5,"model":"q"}', '"\\ud83d\\ude00"', '"\\ud800"'])


def random_json(rng):
    names = []
    for _ in range(rng.randrange(1, 7)):
        names.append(rng.choice(["model", "stream"] + LIMITS + CHOICES + OTHERS))
    if rng.random() < 0.9:
        names.insert(rng.randrange(len(names) + 1), "model")
    space = rng.choice(["", " ", "\n\t"])
    members = ['"%s":%s%s' % (spelt(rng, name), space, random_value(rng, name)) for name in names]
    return ("{" + ("," + space).join(members) + "}").encode()


def random_form(rng):
    boundary = rng.choice(["b", "xx-yy", "a b", "B" * 70, "q'(1)"])
    content_type = 'multipart/form-data; boundary="%s"' % boundary
    if rng.random() < 0.15:
        content_type = rng.choice(
            ["multipart/form-data; boundary*=utf-8''%s" % boundary, "multipart/form-data; boundary=%s; boundary=c" % boundary,
             "multipart/form-data; boundary*0=%s" % boundary[:1], "Multipart/Form-Data;boundary=%s" % boundary,
             'multipart/form-data; charset=utf-8; boundary="%s"' % boundary])
    body = b""
    for _ in range(rng.randrange(1, 5)):
        name = rng.choice(["model", "model", "stream", "file", "zz", "Model", "response_format"])
        disposition = 'name="%s"' % name if rng.random() < 0.6 else rng.choice(
            ["name=%s", 'name="%s"; filename="a.wav"', "name*=utf-8''%s", 'name="zz"; name*=utf-8\'\'%s',
             'name*0="mo"; name*1="%s"', 'Name="%s"', 'name="%s"; name="other"', 'name = "%s"', "name=\"%s\" ;",
             'filename="x"; name="%s"', 'name="\\%s"', "name='%s'"]) % name
        head = b"\r\n".join(
            [rng.choice([b"Content-Disposition", b"content-disposition"] * 9 + [b"Content-Disposition "])
             + b": form-data; " + disposition.encode()]
            + rng.choice([[], [], [], [b"Content-Type: text/plain"], [b"x: y", b"x: z"], [b"Content-Type: a/b", b"content-type: c/d"]]))
        value = rng.choice(["m", "n", "true", "false", "1", "", "\r\n--b", "--%s" % boundary, "x" * 50])
        body += b"--" + boundary.encode() + b"\r\n" + head + b"\r\n\r\n" + value.encode() + b"\r\n"
    ends = [b"--\r\n"] * 6 + [b"--", b"--\r\ntrailing", b"\r\n"]
    body += b"--" + boundary.encode() + rng.choice(ends)
    return body, content_type


def mutated(rng, body):
    body = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(body) + 1)
        how = rng.random()
        if how < 0.4 and place < len(body):
            body[place] = rng.choice(b'"\\{}[]:,;=*-\r\n sSkKnN10\xc5\xbf') if how < 0.3 else rng.randrange(256)
        elif how < 0.7:
            del body[place:place + rng.randrange(1, 4)]
        else:
            start = rng.randrange(len(body) + 1)
            body[place:place] = body[start:start + rng.randrange(1, 12)]
    return bytes(body)


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    logging.disable()
    for _ in range(count):
        is_form = rng.random() < 0.35
        body, content_type = random_form(rng) if is_form else (random_json(rng), "application/json")
        if rng.random() < 0.3:
            body = mutated(rng, body)
        if is_form:
            readings = form_readings(body, content_type)
        else:
            try:
                readings = json_readings(body.decode("utf-8"))
            except UnicodeDecodeError:
                readings = {}
        print(
            json.dumps(
                {"body": base64.b64encode(body).decode(), "type": content_type,
                 "surface": "audio_transcriptions" if is_form else "chat_completions", "readings": readings}))


if __name__ == "__main__":
    main()
