"""Does the main job once, from the first request to the finalized invoice, and shows it in plain words.

`scripts/demo` builds the program and calls this. It drives the built program and the inference API from outside, as an
operator and two customers would.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / ".build/debug/tollgate"
DATA = ROOT / ".tollgate/demo"
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def heading(text):
    print(f"\n{BOLD}== {text}{PLAIN}", flush=True)


def say(text):
    print(text, flush=True)


class Demo:
    def __init__(self, options):
        self.options = options
        self.is_simulator = options.engine is None
        self.environment = dict(os.environ)
        self.process = None
        self.cut_short = 0

    # MARK: the program

    def start(self):
        shutil.rmtree(DATA, ignore_errors=True)
        DATA.mkdir(parents=True)
        command = [PROGRAM, "dev", "--json", "--data", DATA]
        if not self.is_simulator:
            command += ["--engine", self.options.engine, "--engine-model", self.options.engine_model]
            command += ["--engine-key", self.options.engine_key] if self.options.engine_key else []
        self.log = open(DATA / "tollgate.log", "w")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit("tollgate dev did not start:\n" + (DATA / "tollgate.log").read_text())
        self.ready = json.loads(line)
        self.environment["TOLLGATE_DATABASE_URL"] = self.ready["database_url"]
        self.environment["TOLLGATE_JOURNAL_DIRECTORY"] = self.ready["journal"]
        self.environment["TOLLGATE_BILLING_GRACE_MINUTES"] = "0"

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)

    def tollgate(self, *arguments, check=True, show=False):
        """Runs a command of the program; returns its output, or prints it."""
        if show:
            say(f"$ tollgate {' '.join(map(str, arguments))}")
        result = subprocess.run(
            [PROGRAM, *map(str, arguments)], env=self.environment, capture_output=True, text=True
        )
        if check and result.returncode != 0:
            sys.exit(f"tollgate {' '.join(map(str, arguments))} failed:\n{result.stdout}{result.stderr}")
        if show:
            say(result.stdout.rstrip())
        return result

    def made(self, *arguments):
        return json.loads(self.tollgate(*arguments, "--json").stdout)

    # MARK: two customers

    def customer(self, name, plan, **details):
        """An account with a tenant, a subscription from the first of this month, and a key."""
        flags = [part for key, value in details.items() for part in (f"--{key.replace('_', '-')}", value)]
        account = self.made("accounts", "create", name, "--currency", "USD", "--mode", "test", *flags)["account"]
        tenant = self.made("tenants", "create", name, "--account", account)
        first_day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-01T00:00:00Z")
        self.made("subscriptions", "create", "--tenant", tenant["tenant"], "--plan", plan, "--from", first_day)
        key = self.made("keys", "create", "demo", "--project", tenant["project"])
        say(f"  {name}: plan {plan}, {account}")
        return {"name": name, "account": account, "key": key["secret"], "plan": plan}

    def wait_for_key(self, key):
        """A new key reaches the gateway within a second; wait for it instead of guessing."""
        request = urllib.request.Request(
            self.ready["gateway"] + "/v1/models", headers={"authorization": f"Bearer {key}"}
        )
        for _ in range(200):
            try:
                urllib.request.urlopen(request, timeout=5).read()
                return
            except urllib.error.HTTPError as error:
                if error.code != 401:
                    raise
                time.sleep(0.05)
        sys.exit("the gateway did not learn of the new key")

    # MARK: traffic

    def traffic(self, customers, **settings):
        """Requests through the official OpenAI client; returns what each client saw."""
        keys = [{"name": c["name"], "key": c["key"], "tiers": c["tiers"]} for c in customers]
        flags = [part for key, value in settings.items() for part in (f"--{key.replace('_', '-')}", str(value))]
        models = ["--model", "sim-large", "--small-model", "sim-small", "--embedding-model", "sim-embed"]
        if not self.is_simulator:
            models = ["--model", self.options.engine_model, "--no-markers"]
        result = subprocess.run(
            [sys.executable, ROOT / "scripts/clients/demo_traffic.py", "--gateway", self.ready["gateway"], *models,
             *flags, "--summary"],
            input=json.dumps(keys), capture_output=True, text=True,
        )
        if result.returncode != 0:
            sys.exit(f"the traffic failed:\n{result.stderr}")
        summary = json.loads(result.stdout)
        outcomes = ", ".join(f"{count} {name}" for name, count in summary["by_outcome"].items())
        say(f"  {summary['requests']} requests in {summary['seconds']} s: {outcomes}")
        self.cut_short += summary["requests"] - summary["by_outcome"].get("complete", 0)
        return summary

    def curl(self, customer):
        """One request without any client library."""
        body = json.dumps({
            "model": "sim-small" if self.is_simulator else self.options.engine_model, "max_tokens": 12,
            "messages": [{"role": "user", "content": "Say hello to the toll keeper."}],
        })
        say("$ curl …/v1/chat/completions -d '" + body + "'")
        result = subprocess.run(
            ["curl", "-sS", "-D", "-", self.ready["gateway"] + "/v1/chat/completions", "-H",
             f"authorization: Bearer {customer['key']}", "-H", "content-type: application/json", "-d", body],
            capture_output=True, text=True, check=True,
        )
        head, answer = result.stdout.split("\n\n", 1)  # text mode makes one line end of CR LF
        request_id = next(line.split(": ")[1] for line in head.splitlines() if line.startswith("x-request-id"))
        usage = json.loads(answer)["usage"]
        say(f"  {head.splitlines()[0]}; {usage['prompt_tokens']} prompt and {usage['completion_tokens']} completion tokens")
        return request_id

    def record(self, request_id):
        """The record of a request, once ingest has it."""
        for _ in range(100):
            result = self.tollgate("usage", "record", request_id, "--json", check=False)
            if result.returncode == 0:
                return json.loads(result.stdout)
            time.sleep(0.05)
        sys.exit(f"no record of {request_id} came up")

    # MARK: a real engine

    def real_engine(self, command, *arguments):
        """The command line of `scripts/engine-vllm` for the engine behind the gateway."""
        return [ROOT / "scripts/engine-vllm", command, self.options.engine_directory, *map(str, arguments)]

    def engine_counts(self):
        """What the real engine has counted since its start, as JSON."""
        return subprocess.run(self.real_engine("counts"), capture_output=True, text=True, check=True).stdout

    def compare_with_engine(self, before):
        """Holds the real engine's own count of tokens against all that was recorded."""
        sums = self.tollgate(
            "usage", "sums", "--mode", "test", "--from", "2000-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z", "--by",
            "price_key", "--json").stdout
        result = subprocess.run(
            [sys.executable, ROOT / "scripts/engine/own_count.py", before, self.engine_counts(), sums, "--cut-short",
             str(self.cut_short)], capture_output=True, text=True,
        )
        say(result.stdout.rstrip())
        if result.returncode != 0:
            sys.exit("the engine's own count and the records differ without a reason")

    # MARK: time

    def move_clock(self, customers, instant):
        for customer in customers:
            self.made("accounts", "clock", customer["account"], "--to", instant)
        say(f"  billing time of both accounts is {instant} now")

    def run_invoices(self, customers, period):
        """The monthly job; it waits until the gateway's journal has passed the month's end."""
        accounts = [part for customer in customers for part in ("--account", customer["account"])]
        for _ in range(60):
            result = self.tollgate("invoices", "run", "--period", period, *accounts, check=False)
            if "waiting" not in result.stdout:
                break
            time.sleep(0.25)
        say(f"$ tollgate invoices run --period {period}")
        say(result.stdout.rstrip())
        if result.returncode != 0:
            sys.exit(result.stderr)

    def invoice_numbers(self, customers):
        """The numbers of these customers' invoices, in order."""
        rows = json.loads(self.tollgate("invoices", "list", "--mode", "test", "--limit", "1000", "--json").stdout)
        accounts = {customer["account"] for customer in customers}
        return sorted(row["number"] for row in rows if row["account"] in accounts and row["number"])


def month_after(month):
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}"


def engine_settings(demo):
    """Lets the simulator's prompts look as long as real ones, so that the amounts on the invoices can be seen."""
    settings = {"prompt_tokens": 24000, "cached_tokens": 8000}
    request = urllib.request.Request(
        demo.ready["engine"] + "/simulator/configure", data=json.dumps(settings).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", help="URL of a real engine; default: the simulator")
    parser.add_argument("--engine-key")
    parser.add_argument("--engine-model")
    parser.add_argument("--engine-directory", help="where scripts/engine-vllm set up the engine at that URL")
    demo = Demo(parser.parse_args())
    began = time.monotonic()
    try:
        play(demo)
    finally:
        demo.stop()
    say(f"\nEverything is stopped. That took {time.monotonic() - began:.0f} s.")


def play(demo):
    heading("Starting Postgres, engine, gateway, admin API and jobs")
    demo.start()
    say(f"  inference API {demo.ready['gateway']}   admin API {demo.ready['admin']}   engine {demo.ready['engine']}")
    if demo.is_simulator:
        engine_settings(demo)
    engine_before = demo.engine_counts() if demo.options.engine_directory else None

    heading("Two customers on two plans")
    acme = demo.customer(
        "Acme Robotics", "pay-as-you-go", legal_name="Acme Robotics GmbH", address="Hauptstraße 1, 10115 Berlin",
        email="accounts@acme.example", time_zone="Europe/Berlin")
    globex = demo.customer(
        "Globex", "team-priority", legal_name="Globex Corporation", address="42 Harbor Drive, Springfield",
        email="ap@globex.example")
    acme["tiers"], globex["tiers"] = ["standard"], ["standard", "priority"]
    customers = [acme, globex]
    for customer in customers:
        demo.wait_for_key(customer["key"])

    heading("One request with curl, and its record")
    request_id = demo.curl(acme)
    for name, value in demo.record(request_id).items():
        if value:
            say(f"    {name:24} {value}")

    failing = ", the engine fails twice" if demo.is_simulator else ""
    heading(f"Requests of every kind through the official OpenAI client; some clients leave midway{failing}")
    size = {"requests": 240, "failures": 2} if demo.is_simulator else {"requests": 40, "failures": 0, "concurrency": 4}
    demo.traffic(customers, seed=1, **size)
    if demo.is_simulator:
        heading("The engine is slow for the priority tier: its promise of a first token within 500 ms breaks")
        slow = dict(globex, tiers=["priority"])
        demo.traffic([slow], requests=60, phase="slow", simulator=demo.ready["engine"], slow_ms=900, concurrency=30,
                     seed=2)
    elif demo.options.engine_directory:
        heading("The engine stands still for some seconds: the promise of a first token within 500 ms breaks")
        pause = subprocess.Popen(demo.real_engine("pause", 6))  # long enough for the client to start and to wait
        demo.traffic([dict(globex, tiers=["priority"])], requests=40, phase="slow", concurrency=40, seed=2)
        pause.wait()

    month = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m")
    second, third = month_after(month), month_after(month_after(month))
    heading("What was counted")
    for customer in customers:
        say(f"{customer['name']}:")
        say(demo.tollgate(
            "usage", "sums", "--account", customer["account"], "--from", f"{month}-01T00:00:00Z", "--to",
            f"{second}-01T00:00:00Z", "--by", "model", "--by", "tier").stdout.rstrip())
    heading("Where the promises stand")
    demo.tollgate("sla", "report", "--period", month, "--account", globex["account"], show=True)

    heading("The month ends; a quieter month follows and ends, too")
    demo.move_clock(customers, f"{second}-10T12:00:00Z")
    time.sleep(1.2)  # the gateway stamps by the new clock within a second
    quiet = {"requests": 60, "failures": 0} if demo.is_simulator else {"requests": 12, "failures": 0, "concurrency": 4}
    demo.traffic(customers, seed=3, **quiet)
    demo.move_clock(customers, f"{third}-03T08:00:00Z")

    heading("The monthly job, for both months")
    demo.run_invoices(customers, month)
    demo.run_invoices(customers, second)
    say("again, to see that nothing changes:")
    demo.run_invoices(customers, second)

    heading("The invoices")
    numbers = demo.invoice_numbers(customers)
    for number in numbers:
        say(demo.tollgate("invoices", "show", number).stdout)
    files = demo.tollgate("invoices", "export", *numbers, "--to", DATA / "invoices").stdout
    say("As files to send (PDF; HTML and JSON beside them):\n" + files.rstrip())

    heading("Reconcile: journal, records, rollups, ledger, invoices and the engine's own count")
    arguments = ["reconcile"] + (["--simulator", demo.ready["engine"]] if demo.is_simulator else [])
    demo.tollgate(*arguments, show=True)
    if engine_before:
        say("\nThe engine's own count of tokens beside what was recorded:")
        demo.compare_with_engine(engine_before)


if __name__ == "__main__":
    main()
