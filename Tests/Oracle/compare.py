"""Holds a program against the oracle: `python compare.py PROGRAM SEED COUNT`.

Runs `PROGRAM plans quote PLAN USAGE` once for each random plan. At the first difference it removes
what can be removed of plan and usage while the difference persists, shows what is left, and exits 1.
"""

import copy
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import oracle
import random_plans

# What a plan cannot be without; the rest may be removed to shrink it.
REQUIRED = {"plan", "version", "title", "currency", "effective_from", "models", "input", "output",
            "region", "name", "zone", "when", "above", "until"}
DIGITS = re.compile(r"\d+")


class Program:
    """The program under test, which reads its files from a directory of ours."""

    def __init__(self, path: str, directory: str) -> None:
        self.path = path
        self.plan_file, self.usage_file = Path(directory, "plan.yaml"), Path(directory, "usage.jsonl")

    def quote(self, plan: dict, usages: list[dict]) -> tuple[list[dict] | None, str]:
        """The answers line by line, or None with what the program said when it refused."""
        self.plan_file.write_text(random_plans.to_yaml(plan), encoding="utf-8")
        self.usage_file.write_text(random_plans.to_jsonl(usages), encoding="utf-8")
        command = [self.path, "plans", "quote", str(self.plan_file), str(self.usage_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        if done.returncode != 0:
            return None, said
        try:
            answers = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        except ValueError:
            return None, said
        return (answers, said) if len(answers) == len(usages) else (None, said)


# The names that the documentation does not give

def learn_meters(program: Program) -> None:
    """Takes the meters' names in row ids, and their order, from the program."""
    names = [*oracle.METERS]
    plan = {"plan": "names", "version": "1", "title": "Names", "currency": "USD",
            "effective_from": "2026-01-01T00:00:00Z", "models": {"sol": {name: "1" for name in names}}}
    # A fee goes with something that was used: here with `input`.
    usages = [usage_of([name]) for name in names[:-1]] + [usage_of(["input", "requests"]), usage_of(names)]
    answers, said = program.quote(plan, usages)
    if answers is None or any("charges" not in answer for answer in answers):
        sys.exit(f"The program does not quote a plan with every price:\n{said}")
    rows = [[charge["price"] for charge in answer["charges"]] for answer in answers]
    if [len(each) for each in rows] != [1] * (len(names) - 1) + [2, len(names)]:
        sys.exit(f"The program does not have a row for each price:\n{said}")
    meters = {name: each[0] for name, each in zip(names, rows)}
    meters["requests"] = next(row for row in rows[-2] if row != meters["input"])
    if len(set(meters.values())) != len(names) or set(meters.values()) != set(rows[-1]):
        sys.exit(f"The program has one row for several prices:\n{said}")
    ordered = sorted(names, key=lambda name: rows[-1].index(meters[name]))
    learnt = {name: meters[name].split("/")[3] for name in ordered}
    if [*learnt.items()] != [*oracle.METERS.items()]:
        print("Meters as the program names and orders them:")
        print("  " + ", ".join(f"{name}: {meter}" for name, meter in learnt.items()))
    if learnt["input"] != "input_tokens":
        sys.exit("The documentation names input_tokens.")
    oracle.METERS = learnt


def usage_of(names: list[str]) -> dict:
    usage = {"model": "sol", "quantities": {name: 1 for name in names if name != "requests"}}
    return usage | ({"requests": 1} if "requests" in names else {})


# Differences

def difference_of(ours: dict, theirs: dict) -> str | None:
    """What kind of difference there is between two answers."""
    if ours.get("error") != theirs.get("error"):
        return f"error: {ours.get('error')} and {theirs.get('error')}"
    if "error" in ours:
        return None
    for key in ("price", "quantity", "amount"):
        if [each[key] for each in ours["charges"]] != [each.get(key) for each in theirs.get("charges", [])]:
            return f"{key} of charges"
    return None if ours["amount"] == theirs.get("amount") else "amount"


class Difference:
    """What differs: the refusal of a plan, or the answer to one line."""

    def __init__(self, kind: str, usage: dict | None, ours: dict | None, theirs) -> None:
        self.kind, self.usage, self.ours, self.theirs = kind, usage, ours, theirs

    def persists_in(self, other: "Difference | None") -> bool:
        """Whether the other is the same one; a refusal may name fewer mistakes, but no new ones."""
        if other is None or self.kind != other.kind:
            return False
        return self.kind != "refused" or mistakes(other.theirs) <= mistakes(self.theirs)


def mistakes(said: str) -> set[str]:
    """What a refusal says, whatever the lines that it names."""
    return {DIGITS.sub("#", line).strip() for line in said.splitlines() if line.strip()}


def first_difference(program: Program, plan: dict, usages: list[dict]) -> Difference | None:
    answers, said = program.quote(plan, usages)
    if answers is None:
        return Difference("refused", None, None, said)
    for usage, theirs in zip(usages, answers):
        ours = oracle.price(plan, usage)
        kind = difference_of(ours, theirs)
        if kind:
            return Difference(kind, usage, ours, theirs)
    return None


# Shrinking

def paths(value, path: tuple = ()) -> list[tuple]:
    """The places in a document, the greatest first."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(index, value[index]) for index in reversed(range(len(value)))]
    else:
        return []
    return [path + (key,) for key, _ in items] + [
        inner for key, each in items for inner in paths(each, path + (key,))]


def removable_in_plan(plan: dict) -> list[tuple]:
    return [path for path in paths(plan) if path[-1] not in REQUIRED or "multipliers" in path]


def removable_in_usage(usage: dict) -> list[tuple]:
    return [path for path in paths(usage) if path not in (("model",), ("quantities",))]


def without(document: dict, path: tuple) -> dict:
    """A copy without what stands at `path`, nor what is empty thereby."""
    result = copy.deepcopy(document)
    parents = [result]
    for key in path[:-1]:
        parents.append(parents[-1][key])
    del parents[-1][path[-1]]
    for parent, key in reversed(list(zip(parents, path[:-1]))):
        if parent[key] or key in REQUIRED | {"quantities"}:
            break
        del parent[key]
    return result


def smaller_counts(usage: dict) -> list[dict]:
    counts = usage["quantities"]
    return [usage | {"quantities": counts | {name: less}}
            for name, count in counts.items() for less in (1, count // 2, count - 1) if 0 < less < count]


def candidates(plan: dict, usages: list[dict]) -> list[tuple[dict, list[dict]]]:
    found = [(without(plan, path), usages) for path in removable_in_plan(plan)]
    if len(usages) == 1:
        found += [(plan, [without(usages[0], path)]) for path in removable_in_usage(usages[0])]
        found += [(plan, [usage]) for usage in smaller_counts(usages[0])]
    return found


def shrink(program: Program, plan: dict, difference: Difference) -> tuple[dict, Difference]:
    """Takes whatever can go while the same difference persists."""
    usages = [difference.usage] if difference.usage else []
    is_smaller = True
    while is_smaller:
        is_smaller, index = False, 0
        while index < len(found := candidates(plan, usages)):
            after = try_difference(program, *found[index])
            if difference.persists_in(after):
                (plan, usages), difference, is_smaller = found[index], after, True
            else:
                index += 1
    return plan, difference


def try_difference(program: Program, plan: dict, usages: list[dict]) -> Difference | None:
    """The difference, if any; None where what was removed is missed elsewhere in the plan."""
    try:
        return first_difference(program, plan, usages)
    except LookupError:
        return None


def show(seed: int, number: int, plan: dict, difference: Difference) -> None:
    print(f"DIFFERENCE ({difference.kind}) in plan {number} of seed {seed}\n")
    print(random_plans.to_yaml(plan))
    if difference.usage is None:
        print(f"The program refuses the plan:\n{difference.theirs}")
        return
    print("usage   " + json.dumps(difference.usage))
    print("oracle  " + json.dumps(difference.ours))
    print("program " + json.dumps(difference.theirs))


def main() -> None:
    path, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    plans = lines = 0
    with tempfile.TemporaryDirectory() as directory:
        program = Program(path, directory)
        learn_meters(program)
        for number in range(1, count + 1):
            plan, usages = random_plans.random_pair(seed, number)
            difference = first_difference(program, plan, usages)
            if difference:
                show(seed, number, *shrink(program, plan, difference))
                break
            plans, lines = plans + 1, lines + len(usages)
    print(f"{plans} plans with {lines} lines are equal.")
    sys.exit(0 if plans == count else 1)


if __name__ == "__main__":
    main()
