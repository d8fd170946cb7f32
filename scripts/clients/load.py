#!/usr/bin/env python3
"""Keeps requests going against a gateway that may be killed at any moment, and writes down what each one saw.

Every finished request is one JSON line in --output, written at once. A refused or broken connection is noted and
tried again with a new request. The load ends when --stop-file exists, on SIGTERM or SIGINT, or after --seconds;
then requests under way get --drain seconds, and a last line `{"summary": …}` is written and printed.

`complete` is strict: the whole plain answer, or a stream's `[DONE]`. `text_chunks` of a complete stream is its
number of tokens as long as the engine sends one token a chunk.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import time

from observing import client_for, new_observation, observe

# A pause after a request that got no answer, so that a gateway that is down is not hammered.
RETRY_SECONDS = 0.05


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateway", required=True, help="URL of the inference API, with or without /v1")
    parser.add_argument("--key", action="append", required=True, help="API key; may be given several times")
    parser.add_argument("--output", required=True, help="JSON lines are appended here")
    parser.add_argument("--model", default="sim-large")
    parser.add_argument("--tier", action="append", help="service tiers to choose from; may be given several times")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streamed", type=float, default=0.7, help="share of the requests that are streamed")
    parser.add_argument("--leave", type=float, default=0.05, help="share of the streams that the client leaves")
    parser.add_argument("--max-tokens", type=int, default=24)
    parser.add_argument("--decode-ms", type=int, help="ask the simulator for this pace, by a marker in the prompt")
    parser.add_argument("--stop-file", help="end when this file exists")
    parser.add_argument("--seconds", type=float, help="end after so long")
    parser.add_argument("--drain", type=float, default=10.0, help="seconds that requests under way get at the end")
    parser.add_argument("--timeout", type=float, default=20.0, help="seconds after which a silent answer is given up")
    return parser.parse_args()


class Load:
    """The workers, the numbers they take, and the file they write to."""

    def __init__(self, options, output):
        self.options = options
        self.output = output
        self.clients = [client_for(options.gateway, key, options.timeout) for key in options.key]
        self.number = 0
        self.counts = {}
        self.stopping = asyncio.Event()

    def next_request(self):
        """Number, client, body, observation and leave_after of the next request; equal for equal seeds."""
        self.number += 1
        number = self.number
        choice = random.Random(f"{self.options.seed}-{number}")
        words = " ".join(choice.choices(["count", "these", "tokens", "once", "and", "only"], k=choice.randint(3, 30)))
        if self.options.decode_ms is not None:
            words += f" [[simulator decode_ms={self.options.decode_ms}]]"
        body = {
            "model": self.options.model,
            "messages": [{"role": "user", "content": words}],
            "max_tokens": choice.randint(1, self.options.max_tokens),
            "user": f"load-{self.options.seed}-{number}",
        }
        tier = choice.choice(self.options.tier) if self.options.tier else None
        if tier:
            body["service_tier"] = tier
        leave_after = None
        if choice.random() < self.options.streamed:
            body["stream"] = True
            if choice.random() < 0.5:
                body["stream_options"] = {"include_usage": True}
            if choice.random() < self.options.leave:
                leave_after = choice.randint(1, max(1, body["max_tokens"] // 2))
        key_index = number % len(self.clients)
        observation = new_observation(
            number=number,
            key_index=key_index,
            user=body["user"],
            tier=tier,
            streamed=bool(body.get("stream")),
            sent_at_ms=int(time.time() * 1000),
        )
        return self.clients[key_index], body, observation, leave_after

    async def worker(self):
        while not self.stopping.is_set():
            client, body, observation, leave_after = self.next_request()
            try:
                await observe(client, "chat", body, observation, leave_after)
            except asyncio.CancelledError:
                observation["outcome"] = "given_up"
                self.write(observation)
                raise
            self.write(observation)
            if observation["outcome"] == "unanswered":
                await asyncio.sleep(RETRY_SECONDS)

    def write(self, observation):
        observation["ended_at_ms"] = int(time.time() * 1000)
        self.counts[observation["outcome"]] = self.counts.get(observation["outcome"], 0) + 1
        self.output.write(json.dumps(observation) + "\n")
        self.output.flush()

    async def watch(self):
        """Sets `stopping` when one of the reasons to end is there."""
        ends_at = time.monotonic() + self.options.seconds if self.options.seconds else None
        while not self.stopping.is_set():
            if self.options.stop_file and os.path.exists(self.options.stop_file):
                self.stopping.set()
            if ends_at and time.monotonic() >= ends_at:
                self.stopping.set()
            await asyncio.sleep(0.05)

    async def run(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        workers = [asyncio.create_task(self.worker()) for _ in range(self.options.concurrency)]
        await self.watch()
        _, unfinished = await asyncio.wait(workers, timeout=self.options.drain)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for client in self.clients:
            await client.close()
        return {"summary": {"requests": self.number, "outcomes": dict(sorted(self.counts.items()))}}


def main():
    options = arguments()
    with open(options.output, "a", encoding="utf-8") as output:

        async def run():
            return await Load(options, output).run()

        summary = json.dumps(asyncio.run(run()))
        output.write(summary + "\n")
        print(summary)


if __name__ == "__main__":
    main()
