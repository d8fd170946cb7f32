#!/usr/bin/env python3
"""Whether one tenant's large bodies hold up another's small requests.

usage: large_bodies.py [--binary PATH] [--seconds S] [--mebibytes N] [--senders N]

`tollgate dev` in front of the engine of the benchmarks (engine.c); one tenant sends bodies of N MiB made to cost the most to read, over several connections
at once, another asks one small question after the other. Printed are the small requests' times while nothing else runs and
beside each form of body, and how long the body itself took. The last line is `ratio X.XX`: the worst p99 beside large
bodies over the p99 without. Forms: one long text, many members, many messages, deep nesting, long escapes.
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from bench_lab import MODEL, free_port

HERE = pathlib.Path(__file__).resolve().parent


def bodies(size):
    head = f'{{"model":"{MODEL}","max_tokens":1,"messages":[{{"role":"user","content":"'
    yield "text", (head + "word " * (size // 5) + '"}]}').encode()
    yield "escapes", (head + "\\u0041" * (size // 6) + '"}]}').encode()
    members = ",".join(f'"m{n}":{n}' for n in range(size // 17))
    yield "members", (head + 'hi"}],"metadata":{' + members + "}}").encode()
    messages = ",".join('{"role":"user","content":"hi"}' for _ in range(size // 32))
    yield "messages", (f'{{"model":"{MODEL}","max_tokens":1,"messages":[' + messages + "]}").encode()
    nested = ",".join('{"a":{"b":{"c":{"d":[[[[1]]]]}}}}' for _ in range(size // 34))
    yield "nesting", (head + 'hi"}],"extra":[' + nested + "]}").encode()


class Client:
    def __init__(self, address, key):
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=300)
        self.headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def post(self, body):
        start = time.monotonic()
        self.connection.request("POST", "/v1/chat/completions", body, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        return time.monotonic() - start, answer.status


def probe(client, body, seconds, stop=None):
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end or (stop and not stop.is_set()):
        took, status = client.post(body)
        if status != 200:
            sys.exit(f"a small request was answered with {status}")
        times.append(took * 1000)
        time.sleep(0.002)
    times.sort()
    return times


def show(name, times, extra=""):
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{name:10} {len(times):6} small requests: p50 {p50:6.2f} ms, p99 {p99:7.2f} ms, worst {times[-1]:8.2f} ms{extra}",
          flush=True)
    return p99


def run(options, ready, made):
    address = urllib.parse.urlparse(ready["gateway"])
    keys = []
    for name in ("large", "small"):
        account = made("accounts", "create", name, "--currency", "USD")["account"]
        tenant = made("tenants", "create", name, "--account", account)
        made("subscriptions", "create", "--tenant", tenant["tenant"], "--plan", options.plan)
        keys.append(made("keys", "create", name, "--project", tenant["project"])["secret"])
    time.sleep(3)
    small = json.dumps({"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}).encode()
    client = Client(address, keys[1])
    probe(client, small, 1)
    alone = show("alone", probe(client, small, options.seconds))
    worst = 0.0
    for name, body in bodies(options.mebibytes << 20):
        taken, lock, end = [], threading.Lock(), time.monotonic() + options.seconds

        def send():
            sender = Client(address, keys[0])
            while time.monotonic() < end:
                try:
                    took, status = sender.post(body)
                except (OSError, http.client.HTTPException):
                    # Refused while it was still being sent, for want of memory.
                    took, status, sender = 0, 503, Client(address, keys[0])
                with lock:
                    taken.append((took, status))

        threads = [threading.Thread(target=send) for _ in range(options.senders)]
        for thread in threads:
            thread.start()
        times = probe(client, small, options.seconds)
        for thread in threads:
            thread.join()
        served = [took for took, status in taken if status != 503]
        mean = f"{sum(served) / len(served):.2f} s each" if served else "none served"
        statuses = sorted({status for _, status in taken})
        worst = max(worst, show(name, times, f"; {len(taken)} bodies of {len(body) / (1 << 20):.0f} MiB, {mean}, {statuses}"))
    print(f"ratio {worst / alone:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=HERE.parent / ".build/release/tollgate")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--mebibytes", type=int, default=31)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--plan", default="pay-as-you-go")
    options = parser.parse_args()
    data = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-large-bodies-"))
    subprocess.run([shutil.which("cc") or "clang", "-O2", "-o", data / "engine", HERE / "engine.c"], check=True)
    port = free_port()
    engine = subprocess.Popen([data / "engine", str(port)])
    with open(data / "log", "w") as log:
        command = [options.binary, "dev", "--json", "--data", data / "dev", "--engine", f"http://127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit("tollgate dev did not start:\n" + (data / "log").read_text())
            ready = json.loads(line)
            environment = dict(os.environ, TOLLGATE_DATABASE_URL=ready["database_url"],
                               TOLLGATE_JOURNAL_DIRECTORY=ready["journal"])

            def made(*arguments):
                command = [options.binary, *arguments, "--json"]
                return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)

            run(options, ready, made)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            engine.kill()
    shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
