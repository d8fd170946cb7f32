#!/usr/bin/env python3
"""Writes mixed requests with their prompts' tokens, to hold the estimate of input against.

usage: estimates.py OUTPUT.jsonl [COUNT [LONGEST]]

COUNT requests, each text of which has up to LONGEST characters. What stands beside this script is `estimates.jsonl 96 1500`.

Needs PyPI's `bpe-openai` (it carries OpenAI's vocabularies), which nothing else of the project does: install it by hand.
The texts are the project's own (pages, sources, data) and what stands below. A prompt is counted as a template shows it
to a model: four tokens a message beside its text, tools and schemas as JSON before it, and what a call was given as JSON.
"""

import json
import math
import pathlib
import random
import sys

import bpe_openai

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENCODINGS = {name: bpe_openai.get_encoding(name) for name in ("cl100k_base", "o200k_base")}

LANGUAGES = {
    "german": "Die Rechnung wird am Ende des Monats erstellt und enthält alle Leistungen, die im Zeitraum erbracht wurden. ",
    "french": "La facture est établie à la fin du mois et comprend toutes les prestations fournies pendant la période. ",
    "spanish": "La factura se emite al final del mes e incluye todos los servicios prestados durante el período. ",
    "russian": "Счёт выставляется в конце месяца и включает все услуги, оказанные за этот период. ",
    "chinese": "发票在月底开具，包括该期间提供的所有服务。请在三十天内付款，否则将收取滞纳金。",
    "japanese": "請求書は月末に発行され、期間中に提供されたすべてのサービスが含まれます。",
    "arabic": "تصدر الفاتورة في نهاية الشهر وتشمل جميع الخدمات المقدمة خلال الفترة. ",
    "hindi": "बिल महीने के अंत में जारी किया जाता है और इसमें अवधि के दौरान दी गई सभी सेवाएँ शामिल होती हैं। ",
}


def texts(rng):
    pages = [page.read_text() for page in sorted(ROOT.glob("docs/*.md"))]
    sources = [source.read_text() for source in sorted(ROOT.glob("Sources/Engines/*/*.swift"))]
    data = [plan.read_text() for plan in sorted(ROOT.glob("pricing-plans/*.yaml"))]

    def piece(kind, size):
        if kind in LANGUAGES:
            return (LANGUAGES[kind] * (size // len(LANGUAGES[kind]) + 1))[:size]
        text = rng.choice({"prose": pages, "code": sources, "data": data}[kind])
        start = rng.randrange(max(1, len(text) - size))
        return text[start:start + size]

    return piece


def tool(rng, piece, number):
    properties = {
        name: {"type": rng.choice(["string", "integer", "boolean"]), "description": piece("prose", rng.randrange(20, 120))}
        for name in rng.sample(["city", "unit", "query", "limit", "cursor", "account_id", "period", "format"], 3)
    }
    return {
        "type": "function",
        "function": {
            "name": f"look_up_{number}", "description": piece("prose", rng.randrange(40, 300)),
            "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]},
        },
    }


def request(rng, piece, surface, longest):
    """A body, and the texts that a template shows of it with how many marks it puts around them."""
    kind = rng.choice(["prose"] * 5 + ["code"] * 3 + ["data"] + sorted(LANGUAGES))
    size = lambda: int(10 ** rng.uniform(1.3, math.log10(longest)))
    shown, marks = [], 3
    settings = {"model": "gpt-4o", "temperature": 0.7, "max_tokens": 512, "stream": True, "user": "user-1234"}
    settings = dict(rng.sample(sorted(settings.items()), rng.randrange(1, 5)))
    settings["model"] = "gpt-4o"
    system = piece("prose", rng.randrange(20, 800)) if rng.random() < 0.7 else None
    turns = []
    for turn in range(rng.choice([1, 1, 1, 3, 5, 9])):
        turns.append(("user" if turn % 2 == 0 else "assistant", piece(kind, size())))
    shown += ([system] if system else []) + [text for _, text in turns]
    marks += 4 * (len(turns) + (1 if system else 0))
    tools = [tool(rng, piece, number) for number in range(rng.randrange(1, 6))] if rng.random() < 0.35 else []
    shown += [json.dumps(one, ensure_ascii=False) for one in tools]
    if surface == "messages":
        body = {**settings, "messages": [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]}
        if system:
            body["system"] = system
        if tools:
            body["tools"] = [
                {"name": one["function"]["name"], "description": one["function"]["description"],
                 "input_schema": one["function"]["parameters"]} for one in tools]
    elif surface == "gemini_generate":
        settings.pop("user", None), settings.pop("stream", None), settings.pop("model")
        body = {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in turns],
                "generationConfig": {"temperature": 0.5, "maxOutputTokens": 100}}
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        if tools:
            body["tools"] = [{"functionDeclarations": [one["function"] for one in tools]}]
    elif surface == "responses":
        body = {**settings, "input": [{"role": role, "content": text} for role, text in turns]}
        body.pop("max_tokens", None)
        if system:
            body["instructions"] = system
        if tools:
            body["tools"] = [{"type": "function", **one["function"]} for one in tools]
    elif surface == "tgi_generate":
        prompt = "\n".join(text for _, text in turns)
        body, shown, marks = {"inputs": prompt, "parameters": {"max_new_tokens": 50}}, [prompt], 1
    elif surface == "completions":
        prompt = "\n".join(text for _, text in turns)
        body, shown, marks = {**settings, "prompt": prompt}, [prompt], 1
    else:
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": role, "content": text} for role, text in turns]
        body = {**settings, "messages": messages}
        if tools:
            body["tools"] = tools
            arguments = json.dumps({"query": piece("prose", 60), "limit": 5})
            answer = json.dumps({"rows": [piece("data", 80) for _ in range(rng.randrange(1, 9))]}, ensure_ascii=False)
            call = {"id": "call_9a8b7c", "type": "function", "function": {"name": "look_up_0", "arguments": arguments}}
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_9a8b7c", "content": answer}]
            shown += [json.dumps(call["function"]), answer]
            marks += 8
        if rng.random() < 0.15:
            schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": tool(rng, piece, 9)["function"]["parameters"]}}
            body["response_format"] = schema
            shown.append(json.dumps(schema["json_schema"], ensure_ascii=False))
        if rng.random() < 0.1:
            body["documents"] = [{"title": f"page {n}", "text": piece("prose", size())} for n in range(2)]
            shown += [json.dumps(one, ensure_ascii=False) for one in body["documents"]]
    return kind, body, shown, marks


def main():
    rng = random.Random(8)
    piece = texts(rng)
    surfaces = ["chat_completions"] * 6 + ["completions", "messages", "messages", "responses", "gemini_generate", "tgi_generate"]
    with open(sys.argv[1], "w") as output:
        count, longest = (int(sys.argv[2]) if len(sys.argv) > 2 else 400), float((sys.argv[3:] or ["10000"])[0])
        for number in range(count):
            surface = surfaces[number % len(surfaces)]
            kind, body, shown, marks = request(rng, piece, surface, longest)
            counts = {
                name: marks + sum(len(encoding.encode_ordinary(text)) for text in shown)
                for name, encoding in ENCODINGS.items()
            }
            text = json.dumps(body, ensure_ascii=rng.random() < 0.4, indent=rng.choice([None, None, None, 2]))
            output.write(json.dumps({"surface": surface, "kind": kind, "tokens": counts, "body": text}) + "\n")


if __name__ == "__main__":
    main()
