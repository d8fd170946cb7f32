#!/usr/bin/env python3
"""CPU time of the gateway per request, beside nginx as a bare reverse proxy, in one alternating run.

usage: bench_gateway.py [--rounds N] [--seconds S] [--binary PATH] [--out FILE]

Both stand in front of the same engine simulator. The engine and the load (wrk) run on core 0, the proxy under test on
core 1. CPU time is read from /proc/PID/stat, user and system; the gateway runs with everything on: authentication,
journal with fdatasync, ingest into Postgres, metrics. Postgres itself is another process and is shown apart.
The last line is `ratio X.XX`: the gateway's median CPU per plain request over nginx's.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
CHUNKS_A_STREAM = 200
DATA_PLANE_THREADS = ("NIO-ELT", "journal")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_answering(url, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} did not answer within {seconds} s")


def ticks(path):
    fields = open(path).read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def process_seconds(pid):
    """User and system seconds of one process and the children that it forked to do the same work (nginx's worker)."""
    total = ticks(f"/proc/{pid}/stat")
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in open(f"/proc/{pid}/task/{task}/children").read().split():
            if "nginx" in open(f"/proc/{child}/comm").read():
                total += ticks(f"/proc/{child}/stat")
    return total / TICKS_A_SECOND


def thread_seconds(pid):
    """Seconds by thread name, to say where the time of one process goes."""
    result = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            name = open(f"/proc/{pid}/task/{task}/comm").read().strip()
            result[name] = result.get(name, 0) + ticks(f"/proc/{pid}/task/{task}/stat") / TICKS_A_SECOND
        except OSError:
            continue  # the thread ended between the listing and the reading
    return result


def drive(target, seconds, connections, stream):
    environment = dict(
        os.environ, WRK_KEY=target["key"], WRK_MODEL=target["model"],
        WRK_STREAM="1" if stream else "0", WRK_TOKENS=str(CHUNKS_A_STREAM if stream else 16),
    )
    command = ["taskset", "-c", "0", "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency",
               "--timeout", "30s", "-s", str(HERE / "chat.lua"), target["url"] + "/v1/chat/completions"]
    threads_before, before = thread_seconds(target["pid"]), process_seconds(target["pid"])
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    time.sleep(0.5)  # the work that a request leaves behind belongs to it
    after, threads_after = process_seconds(target["pid"]), thread_seconds(target["pid"])
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    requests, _, median, failures = map(int, line.split()[1:])
    if failures or not requests:
        sys.exit(f"{target['name']}: {failures} of {requests} requests failed\n{output}")
    data_plane = sum(
        value - threads_before.get(name, 0) for name, value in threads_after.items()
        if name.startswith(DATA_PLANE_THREADS)
    )
    return {
        "cpu": (after - before) / requests * 1e6,
        "data_plane": data_plane / requests * 1e6,
        "requests": requests,
        "median": median,
    }


def start_engine(binary, directory):
    port = free_port()
    process = subprocess.Popen(
        ["taskset", "-c", "0", binary, "simulator", "--port", str(port)],
        stdout=open(directory / "engine.log", "w"), stderr=subprocess.STDOUT)
    wait_until_answering(f"http://127.0.0.1:{port}/health")
    return process, port


def start_nginx(directory, engine_port):
    if not shutil.which("nginx"):
        sys.exit("nginx is missing: apt-get install nginx-light")
    port = free_port()
    text = (HERE / "nginx.conf.template").read_text()
    for name, value in {"DIRECTORY": directory, "PORT": port, "ENGINE_PORT": engine_port}.items():
        text = text.replace(f"@{name}@", str(value))
    (directory / "nginx.conf").write_text(text)
    process = subprocess.Popen(["taskset", "-c", "1", "nginx", "-c", str(directory / "nginx.conf"), "-e",
                                str(directory / "nginx-error.log")])
    url = f"http://127.0.0.1:{port}"
    wait_until_answering(url + "/health")
    return process, {"name": "nginx", "url": url, "pid": process.pid, "key": "none", "model": "sim-small"}


def start_gateway(binary, directory, engine_port):
    process = subprocess.Popen(
        ["taskset", "-c", "1", binary, "dev", "--json", "--data", str(directory / "data"), "--engine",
         f"http://127.0.0.1:{engine_port}"],
        stdout=subprocess.PIPE, stderr=open(directory / "gateway.log", "w"), text=True)
    line = process.stdout.readline()
    if not line:
        sys.exit("the gateway did not start:\n" + (directory / "gateway.log").read_text())
    ready = json.loads(line)
    return process, {"name": "tollgate", "url": ready["gateway"], "pid": process.pid, "key": ready["demo_key"],
                     "model": "sim-small"}


def table(results):
    rows = ["| proxy | µs CPU per plain request, 64 connections | of it event loops and journal | p50 µs at one connection "
            "| µs CPU per streamed chunk, 32 streams |", "|---|---|---|---|---|"]
    for name, tests in results.items():
        def median(test, field):
            return statistics.median(sample[field] for sample in tests[test])
        data_plane = f"{median('plain', 'data_plane'):.0f}" if name == "tollgate" else "–"
        rows.append(f"| {name} | {median('plain', 'cpu'):.0f} | {data_plane} | {median('single', 'median'):.0f} "
                    f"| {median('stream', 'cpu') / CHUNKS_A_STREAM:.2f} |")
    return "\n".join(rows)


def record(out, text, arguments):
    """Puts the table into the document between its two markers, in place of the one before."""
    begin, end = "<!-- bench-gateway: begin -->", "<!-- bench-gateway: end -->"
    document = out.read_text()
    if begin not in document or end not in document:
        sys.exit(f"{out} has no place for the table: it needs the lines {begin} and {end}")
    head, rest = document.split(begin, 1)
    note = (f"{datetime.date.today()}, `make bench-gateway`: {arguments.rounds} rounds of {arguments.seconds} s a test, "
            f"medians; {os.cpu_count()} cores, {platform.system()} {platform.release()}, release build.")
    out.write_text(f"{head}{begin}\n{note}\n\n{text}\n{end}{rest.split(end, 1)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--binary", default=str(HERE.parent / ".build/release/tollgate"))
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
    directory.chmod(0o755)
    processes = []
    try:
        engine, engine_port = start_engine(arguments.binary, directory)
        processes.append(engine)
        nginx, nginx_target = start_nginx(directory, engine_port)
        processes.append(nginx)
        gateway, gateway_target = start_gateway(arguments.binary, directory, engine_port)
        processes.append(gateway)
        targets = [nginx_target, gateway_target]
        results = {target["name"]: {"plain": [], "single": [], "stream": []} for target in targets}
        for target in targets:
            drive(target, 1, 64, stream=False)  # warm: connections, caches, the first segment
        for number in range(arguments.rounds):
            for target in targets:
                for test, connections, stream in (("plain", 64, False), ("single", 1, False), ("stream", 32, True)):
                    sample = drive(target, arguments.seconds, connections, stream)
                    results[target["name"]][test].append(sample)
                    print(f"round {number + 1} {target['name']:9} {test:6} {sample['requests']:7} requests "
                          f"{sample['cpu']:9.1f} µs CPU each", flush=True)
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        shutil.rmtree(directory)
    text = table(results)
    print("\n" + text + "\n")
    if arguments.out:
        record(arguments.out, text, arguments)
    cpu = {name: statistics.median(sample["cpu"] for sample in tests["plain"]) for name, tests in results.items()}
    print(f"ratio {cpu['tollgate'] / cpu['nginx']:.2f}")


if __name__ == "__main__":
    main()
