#!/usr/bin/env python3
"""Whether the gateway grows: a million requests through one process, and two thousand streams at once.

usage: soak.py [--requests N] [--streams N] [--seconds S] [--binary PATH] [--out FILE]

The gateway stands in front of the engine of the benchmarks with everything on, ingest into Postgres included. Resident
memory is read from /proc after 10,000, 100,000 and all requests, and every few seconds while the streams run. The run
fails when a request fails.
"""
import argparse
import datetime
import os
import pathlib
import platform
import subprocess
import sys
import time

from bench_lab import MODEL, Lab

BEGIN, END = "<!-- bench-soak: begin -->", "<!-- bench-soak: end -->"
PACE_US = 100_000


def soak(lab, requests):
    target = lab.targets["tollgate"]
    rows, done = [("start", target.resident_mebibytes())], 0
    for goal in (10_000, 100_000, requests):
        if not done < goal <= requests:
            continue
        report = lab.drive("tollgate", 64, "plain", 3600, requests=goal - done)
        done = goal
        rows.append((f"{done:,} requests", target.resident_mebibytes()))
        print(f"{done} requests at {report['requests'] / report['seconds']:.0f}/s: {rows[-1][1]:.1f} MiB", flush=True)
    time.sleep(10)
    rows.append(("10 s later", target.resident_mebibytes()))
    return rows


def stream(lab, streams, seconds):
    target = lab.targets["tollgate"]
    lab.set_engine(int(seconds * 1e6 / PACE_US), PACE_US)
    command = ["taskset", "-c", "0", str(lab.directory / "load"), str(target.port), target.key, MODEL, str(streams),
               "20", "stream"]
    cpu, start = target.seconds(), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    samples = []
    while process.poll() is None:
        time.sleep(5)
        samples.append((time.monotonic() - start, target.resident_mebibytes()))
        print(f"{samples[-1][0]:.0f} s: {samples[-1][1]:.1f} MiB", flush=True)
    output, errors = process.communicate()
    print(output, flush=True)
    if process.returncode or '"failures":0' not in output:
        sys.exit(f"streams failed\n{output}{errors}")
    return samples, (target.seconds() - cpu) / (time.monotonic() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--binary", default=str(pathlib.Path(__file__).resolve().parent.parent / ".build/release/tollgate"))
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    with Lab() as lab:
        lab.start_gateway("tollgate", arguments.binary)
        rows = soak(lab, arguments.requests)
        samples, share = stream(lab, arguments.streams, arguments.seconds)
    kept = samples[:: max(1, len(samples) // 6)]
    text = "\n".join(
        ["| one process | resident memory |", "|---|---|"]
        + [f"| {name} | {size:.0f} MiB |" for name, size in rows]
        + [f"| {arguments.streams:,} streams at once, after {seconds:.0f} s | {size:.0f} MiB |" for seconds, size in kept]
        + ["", f"Each stream had a chunk every {PACE_US // 1000} ms; the gateway used {share * 100:.0f} % of one core."])
    print("\n" + text)
    if arguments.out:
        document = arguments.out.read_text()
        if BEGIN not in document or END not in document:
            sys.exit(f"{arguments.out} has no place for the table: it needs the lines {BEGIN} and {END}")
        head, rest = document.split(BEGIN, 1)
        note = (f"{datetime.date.today()}, `make bench-soak`: {os.cpu_count()} cores, {platform.system()} "
                f"{platform.release().split('-')[0]}, release build.")
        arguments.out.write_text(f"{head}{BEGIN}\n{note}\n\n{text}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    main()
