#!/usr/bin/env python3
"""Sends the demo's traffic through a gateway with the official OpenAI client and says what each client saw.

Keys come on standard input or with --keys, as JSON:
    [{"name": "acme", "key": "sk-…", "tiers": ["standard", "priority"]}, …]

Phases:
    normal   every kind of request, some clients leaving midway, a few engine failures
    slow     streamed chats; with --simulator the engine first answers slowly for the slow tier, then as before
    outage   plain and streamed chats; with --simulator the engine refuses one in four with 503, then serves as before

Prints one JSON object: totals by client, kind and outcome, and each request's observation (unless --summary).
"""

import argparse
import asyncio
import json
import random
import sys
import time
import urllib.request

from observing import client_for, new_observation, observe

WORDS = (
    "the meter reads every token and the ledger keeps the sum of all that was served at this gate "
    "while a plan names its price and a tier keeps its promise until the month is closed"
).split()

# Kind of request, and how many of a hundred are of that kind.
MIX = {
    "chat": 28,
    "chat_stream": 20,
    "chat_stream_usage": 20,
    "completions": 8,
    "completions_stream": 6,
    "embeddings": 10,
    "leaves": 8,
}

# What the simulator is told by the prompts of some kinds.
MARKERS = {
    "leaves": "completion_tokens=400 decode_ms=5",
    "fails_before": "status=500",
    "fails_midway": "fail_after=3",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="URL of the inference API, with or without /v1")
    parser.add_argument("--keys", help="the keys as JSON; read from standard input when absent")
    parser.add_argument("--model", default="sim-large", help="model for chats and completions")
    parser.add_argument("--small-model", help="a second model that a third of the requests use")
    parser.add_argument("--embedding-model", help="model for embeddings; without it none are sent")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phase", choices=["normal", "slow", "outage"], default="normal")
    parser.add_argument("--failures", type=int, default=3, help="requests that make the engine fail (phase normal)")
    parser.add_argument("--no-markers", action="store_true", help="the engine is real: send no simulator settings")
    parser.add_argument("--simulator", help="URL of the simulator that phases slow and outage set")
    parser.add_argument("--slow-tier", default="priority", help="the tier that phase slow slows down")
    parser.add_argument("--slow-ms", type=int, default=800, help="milliseconds before the first token in phase slow")
    parser.add_argument("--summary", action="store_true", help="leave the single observations out of the output")
    return parser.parse_args()


class Traffic:
    """Plans requests from a seed and sends them."""

    def __init__(self, options, keys):
        self.options = options
        self.random = random.Random(options.seed)
        self.keys = keys
        self.clients = [client_for(options.gateway, key["key"]) for key in keys]

    def plan(self):
        """All requests of the phase, in order: (index of the client, operation, body, observation, leave_after)."""
        kinds = self._kinds()
        requests = []
        for number, kind in enumerate(kinds):
            client = number % len(self.keys)
            tiers = self.keys[client].get("tiers") or [None]
            tier = self.random.choice(tiers)
            requests.append((client, *self._request(number, kind, client, tier)))
        return requests

    def _kinds(self):
        count = self.options.requests
        if self.options.phase == "slow":
            return ["chat_stream_usage"] * count
        if self.options.phase == "outage":
            return [self.random.choice(["chat", "chat_stream"]) for _ in range(count)]
        names = [name for name in MIX if name != "embeddings" or self.options.embedding_model]
        failures = min(self.options.failures, count)
        kinds = self.random.choices(names, [MIX[name] for name in names], k=count - failures)
        kinds += [["fails_before", "fails_midway"][number % 2] for number in range(failures)]
        self.random.shuffle(kinds)
        return kinds

    def _request(self, number, kind, client, tier):
        prompt = " ".join(self.random.choices(WORDS, k=self.random.randint(4, 60)))
        user = f"{self.keys[client]['name']}-{number % 5}"
        leave_after = None
        if kind == "embeddings":
            # Tiers are a matter of generation: embeddings are sent without one.
            tier = None
            operation = "embeddings"
            body = {"model": self.options.embedding_model, "input": [prompt, prompt[::-1]], "user": user}
        else:
            operation = "completions" if kind.startswith("completions") else "chat"
            body = {"model": self._model(), "user": user, "max_tokens": self.random.randint(4, 40)}
            if tier:
                body["service_tier"] = tier
            if kind in ("leaves", "fails_midway") or "stream" in kind:
                body["stream"] = True
            if kind == "chat_stream_usage":
                body["stream_options"] = {"include_usage": True}
            if kind == "leaves":
                body["max_tokens"] = 400
                leave_after = self.random.randint(1, 12)
            prompt = self._marked(prompt, MARKERS.get(kind))
            if operation == "completions":
                body["prompt"] = prompt
                if tier:
                    # The client has no such parameter for completions; engines and gateways take it all the same.
                    body["extra_body"] = {"service_tier": body.pop("service_tier")}
            else:
                body["messages"] = [{"role": "user", "content": prompt}]
                body["metadata"] = {"phase": self.options.phase, "team": self.random.choice(["search", "support"])}
        facts = {"client": self.keys[client]["name"], "kind": kind, "tier": tier, "model": body["model"]}
        return operation, body, new_observation(**facts), leave_after

    def _model(self):
        small = self.options.small_model
        return small if small and self.random.random() < 1 / 3 else self.options.model

    def _marked(self, prompt, settings):
        return prompt if self.options.no_markers or settings is None else f"{prompt} [[simulator {settings}]]"

    async def run(self):
        """Sends everything and returns the observations in the order planned."""
        limit = asyncio.Semaphore(self.options.concurrency)

        async def send(client, operation, body, observation, leave_after):
            async with limit:
                return await observe(self.clients[client], operation, body, observation, leave_after)

        observations = await asyncio.gather(*(send(*request) for request in self.plan()))
        for client in self.clients:
            await client.close()
        return observations


def configure(simulator, settings):
    """Sends settings to the simulator's control surface."""
    request = urllib.request.Request(
        simulator.rstrip("/") + "/simulator/configure",
        data=json.dumps(settings).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        response.read()


def rules(options):
    """The simulator's rules for a phase."""
    if options.phase == "slow":
        return [{"tier": options.slow_tier, "set": {"prefill_ms": options.slow_ms}}]
    if options.phase == "outage":
        return [{"every": 4, "set": {"status": 503}}]
    return []


def summarize(options, observations, seconds):
    """Totals of a run."""
    totals = {"phase": options.phase, "requests": len(observations), "seconds": round(seconds, 2)}
    for name in ("outcome", "kind"):
        counts = {}
        for observation in observations:
            counts[observation[name]] = counts.get(observation[name], 0) + 1
        totals[f"by_{name}"] = dict(sorted(counts.items()))
    clients = {}
    for observation in observations:
        client = clients.setdefault(
            observation["client"], {"requests": 0, "complete": 0, "prompt_tokens": 0, "completion_tokens": 0}
        )
        client["requests"] += 1
        client["complete"] += observation["complete"]
        for name in ("prompt_tokens", "completion_tokens"):
            client[name] += (observation["usage"] or {}).get(name) or 0
    totals["by_client"] = clients
    if not options.summary:
        totals["observations"] = observations
    return totals


def main():
    options = arguments()
    keys = json.loads(options.keys if options.keys else sys.stdin.read())
    phase_rules = rules(options) if options.simulator else []
    if phase_rules:
        configure(options.simulator, {"rules": phase_rules})
    started = time.monotonic()
    try:
        observations = asyncio.run(Traffic(options, keys).run())
    finally:
        if phase_rules:
            configure(options.simulator, {"rules": []})
    json.dump(summarize(options, observations, time.monotonic() - started), sys.stdout)
    print()


if __name__ == "__main__":
    main()
