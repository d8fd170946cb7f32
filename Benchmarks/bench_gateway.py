#!/usr/bin/env python3
"""What a metered request costs, beside bare proxies, in one alternating run.

usage: bench_gateway.py [--rounds N] [--seconds S] [--binary PATH] [--out FILE]

All proxies stand in front of the same engine (engine.c). Engine, load (load.c) and the gateway's Postgres run on core 0,
the proxy under test on core 1. CPU time is read from /proc/PID/stat, user and system, of the proxy's processes; the
gateway runs with everything on: authentication, journal with fdatasync, ingest, metrics. nginx is always there; envoy,
vllm-router, sglang-router and litellm are measured where they are installed. A sample during which other processes used
more than a tenth of a core is taken again, a few times.
The last line is `ratio X.XX`: the gateway's median CPU per plain request over nginx's.
"""
import argparse
import datetime
import os
import pathlib
import platform
import shutil
import statistics
import sys

from bench_lab import Lab

BEGIN, END = "<!-- bench-gateway: begin -->", "<!-- bench-gateway: end -->"
CHUNKS = 200
PACE_US = 20_000

# name: connections, form, chunks of a stream, microseconds between chunks
TESTS = {
    "plain": (64, "plain", CHUNKS, 0),
    "single": (1, "plain", CHUNKS, 0),
    "first": (1, "stream", 4, 0),
    "saturated": (32, "stream", CHUNKS, 0),
    "paced": (32, "stream", CHUNKS, PACE_US),
}


def table(lab, results):
    def median(name, test, field):
        values = [sample[field] for sample in results[name, test]]
        return statistics.median(values) if values else float("nan")

    rows = ["| proxy | µs CPU per plain request, 64 connections | p50 added at one connection | p50 added to first byte "
            "| µs CPU per streamed chunk, saturated | µs per paced chunk |", "|---|---|---|---|---|---|"]
    for name in lab.targets:
        if name == "direct":
            continue
        rows.append(
            f"| {name} | {median(name, 'plain', 'cpu_request'):.1f} "
            f"| {median(name, 'single', 'total_p50') - median('direct', 'single', 'total_p50'):.0f} µs "
            f"| {median(name, 'first', 'first_p50') - median('direct', 'first', 'first_p50'):.0f} µs "
            f"| {median(name, 'saturated', 'cpu_chunk'):.2f} | {median(name, 'paced', 'cpu_chunk'):.1f} |")
    threads = {}
    for sample in results["tollgate", "plain"]:
        for thread, value in sample["threads"].items():
            threads.setdefault(thread, []).append(value)
    shares = sorted(((statistics.median(values), thread) for thread, values in threads.items()), reverse=True)
    text = ", ".join(f"{thread} {value:.1f}" for value, thread in shares if value >= 0.05)
    rows += ["", f"One `fdatasync` of 4 KiB on this disk, median in the same run: {lab.sync_us:.0f} µs.",
             f"The gateway's µs per plain request by thread: {text}."]
    return "\n".join(rows)


def record(out, text, arguments):
    """Puts the table into the document between its two markers, in place of the one before."""
    document = out.read_text()
    if BEGIN not in document or END not in document:
        sys.exit(f"{out} has no place for the table: it needs the lines {BEGIN} and {END}")
    head, rest = document.split(BEGIN, 1)
    note = (f"{datetime.date.today()}, `make bench-gateway`: {arguments.rounds} alternating rounds of "
            f"{arguments.seconds:g} s a test, medians; {os.cpu_count()} cores, {platform.system()} "
            f"{platform.release().split('-')[0]}, release build.")
    out.write_text(f"{head}{BEGIN}\n{note}\n\n{text}\n{END}{rest.split(END, 1)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--tests", default=",".join(TESTS))
    parser.add_argument("--binary", action="append", help="a gateway's program; NAME=PATH for several, to compare them")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    tests = arguments.tests.split(",")
    binaries = arguments.binary or [str(pathlib.Path(__file__).resolve().parent.parent / ".build/release/tollgate")]
    if not shutil.which("nginx"):
        sys.exit("nginx is missing: apt-get install nginx-light")
    with Lab() as lab:
        lab.start_nginx()
        for binary in binaries:
            name, _, path = binary.rpartition("=")
            lab.start_gateway(name or "tollgate", path)
        lab.start_peers()
        results = {(name, test): [] for name in lab.targets for test in TESTS}
        for name in lab.targets:
            lab.drive(name, 64, "plain", 1)  # warm: connections, caches, the first segment
        lab.measure_sync()
        for number in range(arguments.rounds):
            for test in tests:
                connections, form, chunks, pace = TESTS[test]
                lab.set_engine(chunks, pace)
                seconds = max(arguments.seconds, 1.5 * chunks * pace / 1e6)
                for name in lab.targets:
                    sample = lab.sample(name, connections, form, seconds)
                    results[name, test].append(sample)
                    print(f"round {number + 1} {test:9} {name:13} {sample['requests']:7} requests "
                          f"{sample['cpu_request']:8.1f} µs CPU each, {sample['cpu_chunk']:6.2f} a chunk, "
                          f"p50 {sample['total_p50']:.0f} µs, foreign {sample['foreign']:.2f}", flush=True)
        text = table(lab, results) if set(tests) == set(TESTS) and "tollgate" in lab.targets else ""
        print("\n" + text + "\n")
        if arguments.out and text:
            record(arguments.out, text, arguments)
        if "plain" in tests:
            cpu = {name: statistics.median(sample["cpu_request"] for sample in results[name, "plain"])
                   for name in lab.targets}
            for name in lab.targets:
                print(f"{name} {cpu[name]:.1f}")
            name = "tollgate" if "tollgate" in cpu else list(cpu)[-1]
            print(f"ratio {cpu[name] / cpu['nginx']:.2f}")


if __name__ == "__main__":
    main()
