"""The examples of docs/plans.md, and what it says in words, held against the oracle."""

import copy
import re
import unittest

import yaml

import oracle

DOCUMENT = open("/work/main/docs/plans.md", encoding="utf-8").read()
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.S)
WHOLE, BATCH, LONG, PLACES, TIMES = (yaml.load(text, Loader=yaml.BaseLoader) for text in BLOCKS)
HEAD = {"plan": "p", "version": "1"}


def rows(plan: dict, usage: dict) -> dict | str:
    answer = oracle.price(plan, usage)
    if "error" in answer:
        return answer["error"]
    return {each["price"].split("/", 1)[1]: each["amount"] for each in answer["charges"]}


def amount(plan: dict, **usage) -> str:
    answer = oracle.price(plan, {"model": "sim-small"} | usage)
    return answer.get("amount", answer.get("error"))


class WholePlan(unittest.TestCase):
    def test_tiers(self):
        used = {"input": 1_000_000, "output": 1_000_000}
        self.assertEqual(amount(WHOLE, quantities=used), "0.60")
        self.assertEqual(amount(WHOLE, quantities=used, tier="auto"), "0.60")
        self.assertEqual(amount(WHOLE, quantities=used, tier="priority"), "0.90")
        self.assertEqual(amount(WHOLE, quantities=used, tier="dedicated"), "1.50")
        self.assertEqual(amount(WHOLE, quantities=used, tier="flex"), "no_price")
        self.assertEqual(amount(WHOLE, quantities=used, batch=True, tier="priority"), "0.90")

    def test_row_id(self):
        answer = oracle.price(WHOLE, {"model": "sim-small", "tier": "priority", "quantities": {"input": 3}})
        charge = {"price": "team-priority@1/sim-small/priority/input_tokens", "quantity": 3,
                  "amount": "0.00000054"}
        self.assertEqual(answer, {"amount": "0.00000054", "charges": [charge]})

    def test_fall_back_and_none(self):
        used = {"cache_read_audio": 1_000_000, "reasoning": 1_000_000, "output": 1_000_000}
        found = rows(WHOLE, {"model": "sim-small", "quantities": used})
        self.assertEqual([*found.values()], ["0.03", "0.96"])
        dedicated = rows(WHOLE, {"model": "sim-small", "tier": "dedicated", "quantities": used})
        self.assertEqual([*dedicated.values()], ["0.30", "2.40"])

    def test_not_sold(self):
        for sort in ({"quantities": {"input": 1, "output": 1}},
                     {"tier": "dedicated", "quantities": {"input": 1}}):
            self.assertEqual(amount(WHOLE, model="sim-embed", **sort), "no_price")

    def test_units(self):
        self.assertEqual(amount(WHOLE, quantities={"images": 1}), "no_price")
        self.assertEqual(amount(WHOLE, quantities={"images": 1, "input": 1_000_000}), "0.12")

    def test_batch(self):
        plan = WHOLE | BATCH
        line = {"model": "sim-small", "tier": "flex", "batch": True, "quantities": {"input": 1_000_000}}
        found = rows(plan, line)
        self.assertEqual(found, {"sim-small/batch/input_tokens": "0.06"})

    def test_fee(self):
        plan = copy.deepcopy(WHOLE)
        plan["models"]["sim-small"]["requests"] = "5 per 1000 requests"
        self.assertEqual(amount(plan, requests=1, quantities={"input": 1_000_000}), "0.125")
        self.assertEqual(amount(plan, requests=1, quantities={"images": 1}), "no_price")


class AsSold(unittest.TestCase):
    def test_examples(self):
        for name, text, value in [("images", "0.04 per image", 40000),
                                  ("audio_milliseconds", "0.006 per minute", oracle.Fraction("0.1")),
                                  ("searches", "14 per 1000 queries", 14000),
                                  ("compute_milliseconds", "0.0014 per second", oracle.Fraction("1.4")),
                                  ("requests", "5 per 1000 requests", 5000),
                                  ("input", "0.15 per 1M tokens", oracle.Fraction("0.15"))]:
            self.assertEqual(oracle.per_million(name, text), value, text)


class LongPrompts(unittest.TestCase):
    def rates(self, read):
        used = {"input": read - 2, "cache_read": 1, "cache_write": 1, "output": 1}
        found = rows(HEAD | LONG, {"model": "sol", "quantities": used})
        return list(found)[0], [*found.values()][1:]

    def test_bound(self):
        row, values = self.rates(272_000)
        self.assertEqual(row, "sol/standard/input_tokens")
        self.assertEqual(values, ["0.0000001", "0.0000025", "0.00001"])
        row, values = self.rates(272_001)
        self.assertEqual(row, "sol/standard/input_tokens/context_above_272000")
        self.assertEqual(values, ["0.0000002", "0.000005", "0.000015"])


class Conditions(unittest.TestCase):
    plan = HEAD | {"models": {name: {"input": "1", "output": "2"} for name in ("opus", "flash")}}

    def row(self, blocks, **usage):
        found = rows(self.plan | blocks, usage | {"quantities": {"input": 1_000_000}})
        return found.popitem()

    def test_places(self):
        plain = ("opus/standard/input_tokens", "1.00")
        dear = ("opus/standard/input_tokens/region_us-*", "1.10")
        self.assertEqual(self.row(PLACES, model="opus", region="us-east-1"), dear)
        self.assertEqual(self.row(PLACES, model="opus", region="eu-1"), plain)
        self.assertEqual(self.row(PLACES, model="opus"), plain)
        self.assertEqual(self.row(PLACES, model="flash", region="us-1")[1], "1.00")

    def is_peak(self, at, times=TIMES):
        row, value = self.row(times, model="flash", accepted_at=at)
        self.assertEqual(row.endswith("/time_peak"), value == "2.00")
        return value == "2.00"

    def test_times(self):
        self.assertTrue(self.is_peak("2026-09-30T01:00:00Z"))
        self.assertTrue(self.is_peak("2026-09-30T03:59:59.999Z"))
        self.assertFalse(self.is_peak("2026-09-30T04:00:00Z"))
        self.assertTrue(self.is_peak("2026-09-30T11:30:00+05:30"))
        # A holiday, and a Saturday.
        self.assertFalse(self.is_peak("2026-10-01T01:00:00Z"))
        self.assertFalse(self.is_peak("2026-10-03T01:00:00Z"))

    def test_clocks(self):
        span = {"days": ["sun"], "from": "02:30", "to": "03:00"}
        entry = {"name": "peak", "zone": "Europe/Berlin", "when": [span], "multiplier": "2"}
        times = {"times": [entry]}
        # Clocks go back on 25 October 2026: the hour comes twice. In March it is skipped.
        self.assertTrue(self.is_peak("2026-10-25T00:30:00Z", times))
        self.assertFalse(self.is_peak("2026-10-25T01:00:00Z", times))
        self.assertTrue(self.is_peak("2026-10-25T01:30:00Z", times))
        self.assertFalse(self.is_peak("2026-03-29T00:59:00Z", times))
        self.assertFalse(self.is_peak("2026-03-29T01:00:00Z", times))

    def test_next_day(self):
        span = {"days": ["fri"], "from": "22:00", "to": "06:00"}
        times = {"times": [{"name": "peak", "zone": "UTC", "when": [span], "multiplier": "2"}]}
        self.assertTrue(self.is_peak("2026-10-02T22:00:00Z", times))
        self.assertTrue(self.is_peak("2026-10-03T05:59:00Z", times))
        self.assertFalse(self.is_peak("2026-10-03T06:00:00Z", times))
        self.assertFalse(self.is_peak("2026-10-02T05:00:00Z", times))

    def test_all_conditions(self):
        peak = {"name": "peak", "zone": "UTC", "when": [{"from": "01:00"}], "multiplier": "2"}
        plan = {"plan": "frontier", "version": "1", "regions": [{"region": "us-*", "multiplier": "1.1"}],
                "times": [peak], **LONG}
        answer = oracle.price(plan, {"model": "sol", "region": "us-1", "accepted_at": "2026-09-30T01:00:00Z",
                                     "quantities": {"input": 1_000_000}})
        row = "frontier@1/sol/standard/input_tokens/context_above_272000+region_us-*+time_peak"
        self.assertEqual(answer["charges"][0], {"price": row, "quantity": 1_000_000, "amount": "8.80"})


class Factors(unittest.TestCase):
    def test_fall_back_and_rounding(self):
        entry = {"multipliers": {"input": "2"}, "multiplier": "3"}
        names = ("cache_read_audio", "output", "images")
        self.assertEqual([oracle.factor(name, entry) for name in names], [2, 3, 3])
        self.assertEqual(oracle.factor("output", {"multipliers": {"input": "2"}}), 1)
        # Half even, and once: 0.000005 × 0.1 × 5 = 0.0000025.
        factors = [{"multiplier": "0.1"}, {"multiplier": "5"}]
        value = oracle.row_price("input", {"input": "0.000005"}, factors, True)
        self.assertEqual(value, oracle.Fraction("0.000002"))


if __name__ == "__main__":
    unittest.main()
