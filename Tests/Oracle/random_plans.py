"""Random plans and usages that keep the rules of docs/plans.md.

`python random_plans.py SEED COUNT DIRECTORY` writes plan-N.yaml and usage-N.jsonl.
"""

import json
import random
import re
import sys
from datetime import date, datetime, time, timedelta, timezone
from fractions import Fraction
from functools import lru_cache
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import oracle

MODELS = ["sol", "sim-small", "sim-large", "opus", "opus-4.1", "flash", "sim-*", "opus-4*", "*"]
# Keys that only a family prices, and one that few plans do.
STRANGERS = ["sim-tiny", "opus-4.2", "nova"]
TIERS = ["priority", "dedicated", "flex"]
PATTERNS = ["us-*", "us-east-1", "us-east-*", "eu-west-1", "eu-*", "ap-south-1"]
REGIONS = ["us-east-1", "us-east-2", "us-west-2", "us-", "us", "eu-west-1", "eu-west-10", "ap-south-1",
           "ap-south-10", "moon", ""]
UNDECLARED = ["default", "auto", "", "standard", "turbo", "batch"]
ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "America/New_York",
         "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Asia/Shanghai"]
DAYS = [*oracle.WEEKDAYS]
KINDS = [name for name in oracle.PARENTS]
NONE_KINDS = {"input_audio", "input_image", "input_video", "output_audio", "output_image", "reasoning"}
BOUNDS = [1, 999, 1000, 128000, 200000, 272000, 1000000]
FIRST_DAY, LAST_DAY = date(2026, 1, 2), date(2028, 12, 30)


# Prices

def decimal_text(value: Fraction, digits: int = 18) -> str:
    """A terminating decimal, without needless zeros."""
    scaled = value * 10**digits
    assert scaled.denominator == 1
    whole, rest = divmod(scaled.numerator, 10**digits)
    return f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".")


def random_price(rng: random.Random, name: str, is_fine: bool) -> str:
    """A price for 1 000 000, sometimes written as it is sold."""
    if rng.random() < 0.05:
        return "0"
    digits = rng.choice([0, 1, 2, 4, 6] if is_fine else [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 6])
    size = rng.choice([1, 10, 100]) if name not in oracle.UNITS else rng.choice([10, 1000, 100000])
    value = Fraction(rng.randint(1, size * 10**digits), 10**digits)
    return as_sold(rng, name, value) if rng.random() < 0.3 else decimal_text(value)


def as_sold(rng: random.Random, name: str, value: Fraction) -> str:
    """The same price with what it is for."""
    units = oracle.SOLD_AS.get(name, {"token": 1})
    unit = rng.choice(sorted(units))
    count, text = rng.choice([(1, ""), (1000, "1000 "), (1000, "1K "), (1_000_000, "1M "), (10, "10 "),
                              (1_000_000, "1000K ")])
    written = decimal_text(value * count * units[unit] / oracle.MILLION)
    return f"{written} per {text}{unit if count == 1 else plural(unit)}"


def plural(unit: str) -> str:
    return {"search": "searches", "query": "queries"}.get(unit, unit + "s")


def random_prices(rng: random.Random, is_fine: bool) -> dict:
    """The prices of a model, `none` among them."""
    prices = {name: random_price(rng, name, is_fine) for name in ("input", "output")}
    share = rng.choice([0.1, 0.3, 0.7])
    for name in KINDS:
        if rng.random() < share:
            is_none = name in NONE_KINDS and rng.random() < 0.15
            prices[name] = "none" if is_none else random_price(rng, name, is_fine)
    for name in sorted(oracle.UNITS) + ["requests"]:
        if rng.random() < share:
            prices[name] = random_price(rng, name, is_fine)
    if rng.random() < 0.15:
        without = rng.choice(["input", "output"])
        prices[without] = "none"
    return prices


def sold(prices: dict) -> set[str]:
    """The names that have a price of their own."""
    return {name for name, text in prices.items() if name != "context" and text != "none"}


def random_bands(rng: random.Random, prices: dict, is_fine: bool) -> list[dict]:
    bands = []
    for bound in sorted(rng.sample(BOUNDS, rng.choice([1, 1, 2, 3]))):
        band = {"above": str(bound)} if rng.random() < 0.7 else {"from": str(bound + 1)}
        # The documentation does not say how a band's prices treat `none`, so these bands have factors.
        if "none" not in prices.values() and rng.random() < 0.3:
            band["prices"] = {name: random_price(rng, name, is_fine) for name in prices}
        else:
            band |= random_factors(rng, sold(prices), is_fine)
        bands.append(band)
    return bands


def random_model(rng: random.Random, is_fine: bool) -> dict:
    prices = random_prices(rng, is_fine)
    if rng.random() < 0.4:
        prices["context"] = random_bands(rng, prices, is_fine)
    return prices


# Factors

def random_factor(rng: random.Random, is_fine: bool) -> str:
    if is_fine and rng.random() < 0.4:
        return decimal_text(Fraction(rng.randint(501, 2999), 1000))
    return rng.choice(["0.5", "2", "1.5", "1.1", "0.9", "3", "0.1", "1.2"])


def random_factors(rng: random.Random, names: set[str], is_fine: bool) -> dict:
    """A multiplier, multipliers on some of `names`, or both."""
    entry = {}
    if names and rng.random() < 0.5:
        chosen = rng.sample(sorted(names), rng.randint(1, min(3, len(names))))
        entry["multipliers"] = {name: random_factor(rng, is_fine) for name in chosen}
    if not entry or rng.random() < 0.5:
        entry["multiplier"] = random_factor(rng, is_fine)
    return entry


def random_tier(rng: random.Random, models: dict, is_fine: bool) -> dict:
    """A tier, or `batch`: factors, own prices for some of the models, or both."""
    kind = rng.choice(["factors", "prices", "both"])
    if kind == "both" and len(models) == 1:
        kind = "factors"
    entry = {}
    if kind != "factors":
        most = len(models) if kind == "prices" else len(models) - 1
        chosen = rng.sample(sorted(models), rng.randint(1, most))
        entry["prices"] = {name: random_model(rng, is_fine) for name in chosen}
    if kind != "prices":
        entry |= random_factors(rng, set.intersection(*map(sold, models.values())), is_fine)
    return entry


def tiers_of(plan: dict) -> list[str]:
    return ["standard", *plan.get("tiers", {}), *(["batch"] if "batch" in plan else [])]


def random_condition(rng: random.Random, plan: dict, is_fine: bool) -> dict:
    """What an entry of `regions` or `times` says of models, tiers and factors."""
    entry = {}
    if rng.random() < 0.4:
        chosen = rng.sample(sorted(plan["models"]), rng.randint(1, len(plan["models"])))
        entry["models"] = [rng.choice([name, name, name[:3] + "*"]) for name in chosen]
        entry["models"] = sorted(set(entry["models"]))
    if rng.random() < 0.3:
        entry["tiers"] = rng.sample(tiers_of(plan), rng.randint(1, len(tiers_of(plan))))
    met = [found[0] for _, _, found in combinations(plan, entry)]
    if not met:
        entry, met = {}, [found[0] for _, _, found in combinations(plan, {})]
    return entry | random_factors(rng, set.intersection(*map(sold, met)), is_fine)


def may_apply(entry: dict, key: str, tier: str) -> bool:
    """Whether an entry of `regions` or `times` can be about something that `key`, a family or not, prices."""
    patterns = entry.get("models", ["*"])
    overlaps = any(oracle.matches(each, key) or oracle.matches(key, each) for each in patterns)
    return overlaps and tier in entry.get("tiers", [tier])


def combinations(plan: dict, entry: dict) -> list[tuple]:
    """The models and tiers that are sold and that an entry is about, with their terms."""
    pairs = [pair for pair in product(plan["models"], tiers_of(plan)) if may_apply(entry, *pair)]
    found = [(model, tier, oracle.terms(plan, model, tier)) for model, tier in pairs]
    return [each for each in found if each[2] is not None]


def add_regions(rng: random.Random, plan: dict, is_fine: bool) -> None:
    """Places; the same one may stand twice, but not for the same model in the same tier."""
    entries, met = [], set()
    for pattern in rng.choices(PATTERNS, k=rng.choice([1, 2, 3, 4])):
        entry = {"region": pattern} | random_condition(rng, plan, is_fine)
        rows = {(pattern, model, tier) for model, tier, _ in combinations(plan, entry)}
        if not rows & met:
            entries.append(entry)
            met |= rows
    plan["regions"] = entries


# Times

def random_clock(rng: random.Random) -> str:
    return rng.choice(["00:00", "01:30", "02:00", "02:30", "03:00", "08:00", "12:15", "18:00", "22:00",
                       "23:59", f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"])


def random_span(rng: random.Random, has_holidays: bool) -> dict:
    span, days = {}, DAYS + (["holiday"] if has_holidays else [])
    if rng.random() < (0.9 if has_holidays else 0.6):
        chosen = set(rng.sample(days, rng.randint(1, len(days))))
        span["days"] = [day for day in days if day in chosen]
    if rng.random() < 0.8:
        span["from"] = random_clock(rng)
    if rng.random() < 0.8:
        span["to"] = rng.choice([random_clock(rng), random_clock(rng), "24:00"])
    if span.get("from", "00:00") == span.get("to"):
        del span["to"]
    return span or {"from": random_clock(rng)}


def random_calendar(rng: random.Random) -> dict:
    until = date(2028, rng.randint(1, 10), rng.randint(1, 28))
    span = (until - FIRST_DAY).days
    days = {until - timedelta(days=rng.randint(0, span)) for _ in range(rng.randint(1, 8))}
    if rng.random() < 0.5:
        days.add(until)
    if rng.random() < 0.5:
        days.add(rng.choice(changes("Europe/Berlin")).date())
    return {"until": until.isoformat(), "days": sorted(day.isoformat() for day in days if day <= until)}


def add_times(rng: random.Random, plan: dict, is_fine: bool) -> None:
    names = rng.sample(["peak", "night", "weekend", "off-peak"], rng.choice([1, 1, 2, 3]))
    entries, calendars = [], {}
    for name in names:
        entry = {"name": name, "zone": rng.choice(ZONES)}
        if rng.random() < 0.6:
            entry["holidays"] = rng.choice(["china", "office"])
            calendars.setdefault(entry["holidays"], random_calendar(rng))
        entry["when"] = [random_span(rng, "holidays" in entry) for _ in range(rng.choice([1, 1, 2, 3]))]
        entries.append(entry | random_condition(rng, plan, is_fine))
    if calendars:
        plan["holidays"] = calendars
    plan["times"] = entries


@lru_cache(maxsize=None)
def changes(zone: str) -> list[datetime]:
    """The instants at which the clocks of a zone change, to the minute."""
    found, hour = [], timedelta(hours=1)
    instant, end = (datetime.combine(day, time(), timezone.utc) for day in (FIRST_DAY, LAST_DAY))
    while instant < end:
        if offset(zone, instant) != offset(zone, instant + hour):
            minutes = (instant + timedelta(minutes=each) for each in range(61))
            found.append(next(each for each in minutes if offset(zone, each) != offset(zone, instant)))
        instant += hour
    return found or [datetime(2026, 3, 29, 1, tzinfo=timezone.utc)]


def offset(zone: str, instant: datetime) -> timedelta:
    return instant.astimezone(ZoneInfo(zone)).utcoffset()


# The plan

def draft_plan(rng: random.Random, is_fine: bool) -> dict:
    plan = {"plan": "random", "version": "1", "title": "Random plan", "currency": rng.choice(["USD", "EUR"]),
            "effective_from": "2026-01-01T00:00:00Z"}
    if rng.random() < 0.2:
        plan = {"language": "1"} | plan
    if rng.random() < 0.3:
        plan["rounding"] = rng.choice(["half_even", "half_up", "up", "down", "ceiling", "floor"])
    if is_fine:
        plan["round_prices"] = "half_even"
    if rng.random() < 0.5:
        plan["unpriced"] = rng.choice(["suspend", "refuse"])
    names = rng.sample(MODELS, rng.choice([1, 1, 2, 3]))
    plan["models"] = {name: random_model(rng, is_fine) for name in names}
    tiers = rng.sample(TIERS, rng.choice([0, 1, 1, 2]))
    if tiers:
        plan["tiers"] = {tier: random_tier(rng, plan["models"], is_fine) for tier in tiers}
    if rng.random() < 0.4:
        plan["batch"] = random_tier(rng, plan["models"], is_fine)
    if rng.random() < 0.5:
        add_regions(rng, plan, is_fine)
    if rng.random() < 0.5:
        add_times(rng, plan, is_fine)
    return plan


def random_plan(rng: random.Random) -> dict:
    """A plan whose every product is a price."""
    while True:
        plan = draft_plan(rng, rng.random() < 0.4)
        if has_good_products(plan):
            return plan


def has_good_products(plan: dict) -> bool:
    """Whether no product needs rounding that is not allowed, or is rounded to zero."""
    rounds = "round_prices" in plan
    for model, tier, (prices, factors) in combinations(plan, {}):
        entries = [[None, *(entry for entry in plan.get(key, []) if may_apply(entry, model, tier))]
                   for key in ("regions", "times")]
        for band, place, hours in product([None, *prices.get("context", [])], *entries):
            in_band = band["prices"] if band and "prices" in band else prices
            chosen = factors + [entry for entry in (band, place, hours) if entry]
            if not all(is_good(name, in_band, chosen, rounds) for name in sold(in_band)):
                return False
    return True


def is_good(name: str, prices: dict, factors: list[dict], rounds: bool) -> bool:
    value = oracle.row_price(name, prices, factors, rounds)
    if oracle.MILLION % value.denominator != 0:
        return False
    return value > 0 or oracle.per_million(name, prices[name]) == 0


# Usage

def random_usage(rng: random.Random, plan: dict) -> dict:
    own = [name for name in plan["models"] if not name.endswith("*")]
    families = STRANGERS * (2 if len(own) < len(plan["models"]) else 0)
    usage = {"model": rng.choice(own * 6 + families + ["unsold"])}
    if rng.random() < 0.6:
        usage["tier"] = rng.choice([*plan.get("tiers", {})] * 4 + UNDECLARED)
    if rng.random() < 0.3:
        usage["batch"] = True
    if rng.random() < 0.7:
        usage["region"] = random_region(rng, plan)
    if "times" in plan or rng.random() < 0.5:
        usage["accepted_at"] = timestamp(rng, random_instant(rng, plan))
    if rng.random() < 0.6:
        usage["requests"] = rng.choice([0, 1, 1, 1, 2, 1000])
    usage["quantities"] = random_quantities(rng, plan, usage)
    return usage


def random_region(rng: random.Random, plan: dict) -> str:
    if "regions" not in plan or rng.random() < 0.3:
        return rng.choice(REGIONS)
    pattern = rng.choice(plan["regions"])["region"]
    return pattern[:-1] + rng.choice(["", "1", "west-2"]) if pattern.endswith("*") else pattern


def random_count(rng: random.Random) -> int:
    return rng.choice([0, 1, 1, 2, rng.randint(3, 1000), rng.randint(1000, 400_000), 10**12,
                       rng.randint(1, 10**12)])


def random_quantities(rng: random.Random, plan: dict, usage: dict) -> dict:
    """Mostly what is sold; sometimes exactly at the bound of a band, or one beyond."""
    tier = oracle.billed_tier(plan, usage)
    found = oracle.terms(plan, usage["model"], tier) if tier else None
    prices = found[0] if found else {}
    names = [name for name in oracle.METERS if name != "requests"]
    payable = [name for name in names if oracle.row_of(name, prices)]
    pool = payable if payable and rng.random() < 0.75 else names
    chosen = rng.sample(pool, min(len(pool), rng.choice([0, 1, 1, 2, 3, 5, 8])))
    quantities = {name: random_count(rng) for name in chosen}
    if prices.get("context") and rng.random() < 0.7:
        bound = oracle.threshold(rng.choice(prices["context"])) + rng.choice([-1, 0, 0, 1, 1])
        others = {name: count for name, count in quantities.items() if name not in oracle.READ}
        quantities = others | split(rng, bound, [name for name in payable if name in oracle.READ])
    return quantities


def split(rng: random.Random, total: int, names: list[str]) -> dict:
    """`total` tokens of input over some of `names`."""
    chosen = rng.sample(names, min(len(names), rng.choice([1, 2, 3])))
    counts = {}
    for name in chosen[1:]:
        counts[name] = rng.randint(0, total)
        total -= counts[name]
    return counts | {name: total for name in chosen[:1]}


def random_instant(rng: random.Random, plan: dict) -> datetime:
    """Any instant, or one near the edge of a span, a change of clocks, or a holiday."""
    day = FIRST_DAY + timedelta(days=rng.randint(0, (LAST_DAY - FIRST_DAY).days))
    if "times" not in plan or rng.random() < 0.1:
        return datetime.combine(day, time(rng.randint(0, 23), rng.randint(0, 59)), timezone.utc)
    entry = rng.choice(plan["times"])
    zone = ZoneInfo(entry["zone"])
    change = rng.choice(changes(entry["zone"]))
    if rng.random() < 0.25:
        return change + nudge(rng) + timedelta(minutes=rng.choice([0, 0, rng.randint(-180, 180)]))
    if rng.random() < 0.2:
        day = change.astimezone(zone).date()
    if "holidays" in entry and rng.random() < 0.8:
        calendar = plan["holidays"][entry["holidays"]]
        near = date.fromisoformat(rng.choice([*calendar["days"], calendar["until"]]))
        day = near + timedelta(days=rng.choice([-1, 0, 0, 0, 1, 1]))
    span = rng.choice(entry["when"])
    edge = oracle.minutes(rng.choice([span.get("from", "00:00"), span.get("to", "24:00")])) % 1440
    if rng.random() < 0.2:
        edge = rng.randrange(1440)
    local = datetime.combine(day, time(edge // 60, edge % 60), zone)
    return local.replace(fold=rng.choice([0, 1])).astimezone(timezone.utc) + nudge(rng)


def nudge(rng: random.Random) -> timedelta:
    return timedelta(milliseconds=rng.choice([0, 0, 0, -1, 1, -1000, 59_999, -60_000, 60_000]))


def timestamp(rng: random.Random, instant: datetime) -> str:
    """RFC 3339, in UTC or with an offset."""
    if rng.random() < 0.3:
        shift = rng.choice([-570, -300, 60, 330, 765])
        return instant.astimezone(timezone(timedelta(minutes=shift))).isoformat()
    return instant.isoformat().replace("+00:00", "Z")


def random_pair(seed: int, number: int) -> tuple[dict, list[dict]]:
    rng = random.Random(f"{seed}/{number}")
    plan = random_plan(rng)
    return plan, [random_usage(rng, plan) for _ in range(20)]


# Text

WHOLE_NUMBERS = {"language", "version", "above", "from"}
DATE = re.compile(r"\d{4}-\d\d-\d\d.*")


def scalar(key: str, text: str) -> str:
    is_plain = key in WHOLE_NUMBERS and text.isdigit() or DATE.fullmatch(text) or text[0].isalpha()
    return text if is_plain else f'"{text}"'


def key_text(key: str) -> str:
    """An asterisk at the beginning would be an alias."""
    return f'"{key}"' if key.startswith("*") else key


def flow(key: str, value) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(name)}: {flow(name, each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(key, each) for each in value) + "]"
    return scalar(key, value)


def yaml_lines(value: dict, indent: str = "") -> list[str]:
    """A mapping in block style, with its short lists and inner mappings on one line each."""
    lines = []
    for key, each in value.items():
        if isinstance(each, dict) and len(flow(key, each)) > 60:
            lines += [f"{indent}{key_text(key)}:"] + yaml_lines(each, indent + "  ")
        elif isinstance(each, list) and each and isinstance(each[0], dict):
            lines += [f"{indent}{key}:"] + [f"{indent}  - {flow(key, item)}" for item in each]
        else:
            lines.append(f"{indent}{key_text(key)}: {flow(key, each)}")
    return lines


def to_yaml(plan: dict) -> str:
    return "\n".join(yaml_lines(plan)) + "\n"


def to_jsonl(usages: list[dict]) -> str:
    return "".join(json.dumps(usage) + "\n" for usage in usages)


def main() -> None:
    seed, count, directory = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        plan, usages = random_pair(seed, number)
        (directory / f"plan-{number}.yaml").write_text(to_yaml(plan), encoding="utf-8")
        (directory / f"usage-{number}.jsonl").write_text(to_jsonl(usages), encoding="utf-8")


if __name__ == "__main__":
    main()
