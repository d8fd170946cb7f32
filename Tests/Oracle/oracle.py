"""The price of one event, computed from docs/plans.md alone: slow, plain, and exact."""

import json
import re
import sys
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

import yaml

# Price names with the meters that stand in row ids, in the order of the documentation. It names
# `input_tokens` only; the other names and the order are guesses that compare.py replaces.
METERS = {
    "input": "input_tokens",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "input_video": "input_video_tokens",
    "cache_read": "cache_read_tokens",
    "cache_read_audio": "cache_read_audio_tokens",
    "cache_read_image": "cache_read_image_tokens",
    "cache_read_video": "cache_read_video_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cache_write_long": "cache_write_long_tokens",
    "output": "output_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "reasoning": "reasoning_tokens",
    "images": "images",
    "audio_milliseconds": "audio_milliseconds",
    "characters": "characters",
    "searches": "searches",
    "compute_milliseconds": "compute_milliseconds",
    "requests": "requests",
}

# Tokens without a price of their own cost what their parent's cost.
PARENTS = {
    "input_audio": "input",
    "input_image": "input",
    "input_video": "input",
    "cache_read": "input",
    "cache_read_audio": "cache_read",
    "cache_read_image": "cache_read",
    "cache_read_video": "cache_read",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "cache_write_long": "cache_write",
    "output_audio": "output",
    "output_image": "output",
    "reasoning": "output",
}

# These have a row of their own also where only their parent has a price.
ALWAYS_ROWS = {"input", "cache_read", "cache_write", "output"}

# Units do not fall back; without a price they are information.
UNITS = {"images", "audio_milliseconds", "characters", "searches", "compute_milliseconds"}

READ = {name for name in METERS if name.startswith(("input", "cache_"))}

MILLISECONDS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
SOLD_AS = {
    "images": {"image": 1},
    "audio_milliseconds": MILLISECONDS,
    "compute_milliseconds": MILLISECONDS,
    "searches": {"search": 1, "query": 1, "call": 1},
    "characters": {"character": 1},
    "requests": {"request": 1, "call": 1},
}
PLURALS = {"searches": "search", "queries": "query"}
AS_SOLD = re.compile(r"([0-9.]+) per (?:([0-9]+)([KM]?) )?([a-z]+)")

MILLION = 1_000_000
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NO_PRICE = {"error": "no_price"}


# Prices

@lru_cache(maxsize=100_000)
def per_million(name: str, text: str) -> Fraction:
    """What 1 000 000 of `name` cost, however the price is written."""
    if " per " not in text:
        return Fraction(text)
    amount, count, suffix, unit = AS_SOLD.fullmatch(text).groups()
    units = SOLD_AS.get(name, {"token": 1})
    singular = PLURALS.get(unit, unit.removesuffix("s"))
    sold = int(count or 1) * {"": 1, "K": 1000, "M": MILLION}[suffix or ""] * units[singular]
    return Fraction(amount) * MILLION / sold


def priced_name(name: str, prices: dict) -> str | None:
    """The price that `name` is charged at: its own, else the nearest ancestor's."""
    while name is not None and name not in prices:
        name = PARENTS.get(name)
    return None if name is None or prices[name] == "none" else name


def row_of(name: str, prices: dict) -> str | None:
    """The row that `name` is charged on."""
    charged_at = priced_name(name, prices)
    if charged_at is None:
        return None
    while name != charged_at and name not in ALWAYS_ROWS:
        name = PARENTS[name]
    return name


def factor(name: str, entry: dict) -> Fraction:
    """The factor of a tier, band, place or time on the price `name`."""
    multipliers = entry.get("multipliers", {})
    while name is not None:
        if name in multipliers:
            return Fraction(multipliers[name])
        name = PARENTS.get(name)
    return Fraction(entry.get("multiplier", "1"))


def row_price(name: str, prices: dict, factors: list[dict], rounds: bool) -> Fraction:
    """The effective price of a row: one product, rounded once at most."""
    charged_at = priced_name(name, prices)
    product = Fraction(1)
    for entry in factors:
        product *= factor(charged_at, entry)
    exact = per_million(charged_at, prices[charged_at]) * product
    # `round` of a fraction is half even.
    return Fraction(round(exact * MILLION), MILLION) if rounds else exact


# Tiers

def billed_tier(plan: dict, usage: dict) -> str | None:
    """The tier of the row ids; None where nothing can be billed."""
    # A line of a batch that the plan has no price for costs what its tier costs, unless such usage is held.
    is_held = plan.get("unpriced") == "suspend"
    if usage.get("batch") and "batch" in plan and (is_held or terms(plan, usage["model"], "batch")):
        return "batch"
    tier = usage.get("tier") or "standard"
    if tier in ("default", "auto", "standard"):
        return "standard"
    # Only lines of batches are billed there; for anything else the answer is as good as silent.
    if tier == "batch" and "batch" in plan:
        return "standard"
    return tier if tier in plan.get("tiers", {}) else None


def tier_entry(plan: dict, tier: str) -> dict | None:
    """What the plan says of a tier; None for the base tier."""
    if tier == "standard":
        return None
    return plan["batch"] if tier == "batch" else plan["tiers"][tier]


def family(plan: dict, model: str) -> str | None:
    """The entry of `models` that prices a key: its own, else the longest with an asterisk that fits."""
    if model in plan["models"]:
        return model
    fitting = [key for key in plan["models"] if key.endswith("*") and matches(key, model)]
    return max(fitting, key=len) if fitting else None


def terms(plan: dict, model: str, tier: str) -> tuple[dict, list[dict]] | None:
    """The prices of a model in a tier (bands among them), and the tier's factors on them."""
    model = family(plan, model)
    base = plan["models"].get(model)
    entry = tier_entry(plan, tier)
    if entry is None:
        return None if base is None else (base, [])
    own = entry.get("prices", {}).get(model)
    if own is not None:
        return own, []
    if base is None or not ("multiplier" in entry or "multipliers" in entry):
        return None
    return base, [entry]


# Conditions

def threshold(band: dict) -> int:
    return int(band["above"]) if "above" in band else int(band["from"]) - 1


def band_of(prices: dict, tokens_read: int) -> dict | None:
    """The last band that the prompt lies above."""
    fitting = [band for band in prices.get("context", []) if tokens_read > threshold(band)]
    return fitting[-1] if fitting else None


def matches(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def applies(entry: dict, model: str, tier: str) -> bool:
    """Whether an entry of `regions` or `times` is about this model in this tier."""
    models = entry.get("models", ["*"])
    return any(matches(each, model) for each in models) and tier in entry.get("tiers", [tier])


def place_of(plan: dict, model: str, tier: str, region: str | None) -> dict | None:
    if not region:
        return None
    for entry in plan.get("regions", []):
        if matches(entry["region"], region) and applies(entry, model, tier):
            return entry
    return None


def time_of(plan: dict, model: str, tier: str, accepted_at: str | None) -> dict | None:
    if not accepted_at:
        return None
    instant = datetime.fromisoformat(accepted_at)
    for entry in plan.get("times", []):
        if applies(entry, model, tier) and is_within(entry, plan.get("holidays", {}), instant):
            return entry
    return None


def is_within(entry: dict, calendars: dict, instant: datetime) -> bool:
    """Whether the clock of the entry's zone stands in one of its spans."""
    local = instant.astimezone(ZoneInfo(entry["zone"]))
    calendar = calendars.get(entry.get("holidays"), {})
    today = day_kind(local, calendar)
    yesterday = day_kind(local - timedelta(days=1), calendar)
    minute = local.hour * 60 + local.minute
    return any(span_holds(span, today, yesterday, minute) for span in entry["when"])


def span_holds(span: dict, today: str, yesterday: str, minute: int) -> bool:
    begin, end = minutes(span.get("from", "00:00")), minutes(span.get("to", "24:00"))
    begins_today = today in span.get("days", [today])
    if end > begin:
        return begins_today and begin <= minute < end
    began_yesterday = yesterday in span.get("days", [yesterday])
    return (begins_today and minute >= begin) or (began_yesterday and minute < end)


def minutes(clock: str) -> int:
    hours, rest = clock.split(":")
    return int(hours) * 60 + int(rest)


def day_kind(local: datetime, calendar: dict) -> str:
    """`holiday` for the days of the calendar, for all others the day of the week."""
    date = local.date().isoformat()
    if date in calendar.get("days", []) and date <= calendar["until"]:
        return "holiday"
    return WEEKDAYS[local.weekday()]


# The event

def price(plan: dict, usage: dict) -> dict:
    """What one event costs, row by row."""
    model, tier = usage["model"], billed_tier(plan, usage)
    found = terms(plan, model, tier) if tier else None
    counts = {name: count for name, count in usage.get("quantities", {}).items() if count > 0}
    if found is None:
        return NO_PRICE if counts else {"amount": "0.00", "charges": []}
    prices, factors = found
    quantities = quantities_by_row(prices, counts, usage.get("requests") or 0)
    if quantities is None:
        return NO_PRICE
    band = band_of(prices, sum(counts.get(name, 0) for name in READ))
    place = place_of(plan, model, tier, usage.get("region"))
    time = time_of(plan, model, tier, usage.get("accepted_at"))
    factors = factors + [entry for entry in (band, place, time) if entry is not None]
    if band is not None and "prices" in band:
        prices = band["prices"]
    prefix = f"{plan['plan']}@{plan['version']}/{model}/{tier}/"
    suffix = variant(band, place, time)
    rounds = plan.get("round_prices") == "half_even"
    charges, total = [], Fraction(0)
    for name, meter in METERS.items():
        if name in quantities:
            amount = quantities[name] * row_price(name, prices, factors, rounds) / MILLION
            total += amount
            row = prefix + meter + suffix
            charges.append({"price": row, "quantity": quantities[name], "amount": decimal(amount)})
    return {"amount": decimal(total), "charges": charges}


def quantities_by_row(prices: dict, counts: dict, requests: int) -> dict | None:
    """How much stands on each row; None where something that must have a price has none."""
    rows, is_informed_only = {}, False
    for name, count in counts.items():
        row = row_of(name, prices)
        if row is not None:
            rows[row] = rows.get(row, 0) + count
        elif name in UNITS:
            is_informed_only = True
        else:
            return None
    if is_informed_only and not rows:
        return None
    if requests > 0 and row_of("requests", prices):
        rows["requests"] = requests
    return rows


def variant(band: dict | None, place: dict | None, time: dict | None) -> str:
    """The conditions at the end of a row's id."""
    parts = []
    if band is not None:
        parts.append(f"context_above_{threshold(band)}")
    if place is not None:
        parts.append(f"region_{place['region']}")
    if time is not None:
        parts.append(f"time_{time['name']}")
    return "/" + "+".join(parts) if parts else ""


def decimal(amount: Fraction) -> str:
    """Exact decimal text with two decimals or as many as are needed."""
    scaled = amount * 10**12
    assert scaled.denominator == 1, "finer than 10^-12"
    whole, rest = divmod(scaled.numerator, 10**12)
    return f"{whole}.{f'{rest:012}'.rstrip('0').ljust(2, '0')}"


def read_plan(path: str) -> dict:
    """A plan document with every scalar as text."""
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=yaml.BaseLoader)


def main() -> None:
    plan = read_plan(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        for line in file:
            if line.strip():
                print(json.dumps(price(plan, json.loads(line))))


if __name__ == "__main__":
    main()
