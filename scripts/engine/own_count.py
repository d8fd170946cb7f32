#!/usr/bin/env python3
"""Holds an engine's own count against what Tollgate recorded, and says in plain words what the difference is.

usage: own_count.py BEFORE AFTER SUMS [--cut-short NUMBER]

    BEFORE, AFTER   what `scripts/engine-vllm counts` printed before and after the traffic
    SUMS            what `tollgate usage sums --by price_key --json` printed, for all usage of that traffic
    NUMBER          how many answers were cut short; without any, both counts have to be equal (but vLLM counts a
                    prompt once for each of `n` choices, so the traffic must not ask for several)

Exit status 1 when more output was recorded than the engine made, or when counts differ without a reason.
"""

import argparse
import json
import sys

PROMPT_METERS = ("input_tokens", "cache_read_tokens", "cache_write_tokens")


def recorded(sums):
    """Prompt and output tokens of the usage sums, whatever their model and tier."""
    meters = [(line["meter"], int(line["quantity"])) for line in sums]
    return (
        sum(quantity for meter, quantity in meters if meter in PROMPT_METERS),
        sum(quantity for meter, quantity in meters if meter == "output_tokens"),
    )


def compare(before, after, sums, cut_short):
    """Lines to show, and whether the counts agree as far as they can."""
    prompt, output = recorded(sums)
    engine_prompt = after["prompt_tokens"] - before["prompt_tokens"]
    engine_output = after["generation_tokens"] - before["generation_tokens"]
    unreceived, estimated = engine_output - output, engine_prompt - prompt
    lines = [
        f"{'':22}{'engine':>10}{'recorded':>10}{'difference':>12}",
        f"{'tokens of answers':22}{engine_output:>10}{output:>10}{unreceived:>12}",
        f"{'tokens of prompts':22}{engine_prompt:>10}{prompt:>10}{estimated:>12}",
    ]
    if unreceived < 0:
        lines.append("WRONG: more output was recorded than the engine made")
    elif cut_short == 0 and (unreceived or estimated):
        lines.append("WRONG: no answer was cut short, so both counts have to be equal")
    else:
        if unreceived:
            lines.append(f"unreceived: {unreceived} tokens were made for answers cut short, and are on no invoice")
        if estimated:
            lines.append("the prompts of answers cut short are estimates: this engine tells their size at the end only")
    return lines, unreceived >= 0 and (cut_short > 0 or (unreceived == 0 and estimated == 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=json.loads)
    parser.add_argument("after", type=json.loads)
    parser.add_argument("sums", type=json.loads)
    parser.add_argument("--cut-short", type=int, default=0)
    options = parser.parse_args()
    lines, agrees = compare(options.before, options.after, options.sums, options.cut_short)
    print("\n".join(lines))
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
