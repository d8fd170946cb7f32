"""Starts the engine and the proxies, puts load on them and reads what they used. Used by the benchmarks beside it."""
import json
import os
import pathlib
import resource
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
MODEL = "sim-small"
FOREIGN_MAX = 0.1
RETRIES = int(os.environ.get("BENCH_RETRIES", "3"))

# Peers, where they are installed: what starts them, with the port to listen on and the engine's port.
PEERS = {
    "envoy": lambda lab, port: ["envoy", "-c", lab.envoy_configuration(port), "--concurrency", "1",
                                "--disable-hot-restart", "-l", "warn"],
    "vllm-router": lambda lab, port: ["vllm-router", "--host", "127.0.0.1", "--port", str(port), "--worker-urls",
                                      lab.engine_url, "--policy", "round_robin", "--log-level", "warning"],
    "sglang-router": lambda lab, port: ["sglang-router", "launch", "--host", "127.0.0.1", "--port", str(port),
                                        "--worker-urls", lab.engine_url, "--policy", "round_robin", "--log-level",
                                        "warn"],
    "litellm": lambda lab, port: ["litellm", "--model", f"openai/{MODEL}", "--alias", MODEL, "--api_base",
                                  lab.engine_url + "/v1", "--host", "127.0.0.1", "--port", str(port)],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_answering(url, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return urllib.request.urlopen(url, timeout=2).read()
        except urllib.error.HTTPError:
            return None
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer within {seconds} s")


def ticks(path):
    fields = open(path).read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        found += [int(child) for child in open(f"/proc/{pid}/task/{task}/children").read().split()]
    return found


def busy_seconds():
    """Seconds that all cores together were not idle."""
    fields = open("/proc/stat").readline().split()[1:]
    return sum(int(fields[index]) for index in (0, 1, 2, 5, 6, 7)) / TICKS_A_SECOND


class Target:
    """One proxy: where it listens, and whose CPU time is its own."""

    def __init__(self, port, pid=0, key="none", with_children=True):
        self.port, self.pid, self.key, self.with_children = port, pid, key, with_children

    def seconds(self):
        if not self.pid:
            return 0.0
        pids, total = [self.pid], 0
        while pids:
            pid = pids.pop()
            total += ticks(f"/proc/{pid}/stat")
            if self.with_children:
                pids += children(pid)
        return total / TICKS_A_SECOND

    def threads(self):
        """Seconds by thread name, to say where the time of one process goes."""
        result = {}
        for task in os.listdir(f"/proc/{self.pid}/task") if self.pid else []:
            try:
                name = open(f"/proc/{self.pid}/task/{task}/comm").read().strip()
                seconds = ticks(f"/proc/{self.pid}/task/{task}/stat") / TICKS_A_SECOND
                result[name] = result.get(name, 0) + seconds
            except OSError:
                continue  # the thread ended between the listing and the reading
        return result

    def resident_mebibytes(self):
        return int(open(f"/proc/{self.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Lab:
    """The engine, the load and the proxies of one run. Leaving it ends what it started."""

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
        self.directory.chmod(0o755)
        self.processes = []
        self.targets = {}
        try:
            for name in ("engine", "load"):
                subprocess.run([shutil.which("cc") or "clang", "-O2", "-o", str(self.directory / name),
                                str(HERE / f"{name}.c")], check=True)
            self.engine_port = free_port()
            self.engine_url = f"http://127.0.0.1:{self.engine_port}"
            self.engine = self.start(["taskset", "-c", "0", str(self.directory / "engine"), str(self.engine_port)], "engine")
            wait_until_answering(self.engine_url + "/health")
            self.targets["direct"] = Target(self.engine_port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.directory)

    def start(self, command, log, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        process = subprocess.Popen(command, stderr=open(self.directory / f"{log}.log", "w"), **options)
        self.processes.append(process)
        return process

    def start_nginx(self):
        port = free_port()
        text = (HERE / "nginx.conf.template").read_text()
        for name, value in {"DIRECTORY": self.directory, "PORT": port, "ENGINE_PORT": self.engine_port}.items():
            text = text.replace(f"@{name}@", str(value))
        (self.directory / "nginx.conf").write_text(text)
        process = self.start(["taskset", "-c", "1", "nginx", "-c", str(self.directory / "nginx.conf"), "-e",
                              str(self.directory / "nginx-error.log")], "nginx")
        wait_until_answering(f"http://127.0.0.1:{port}/health")
        self.targets["nginx"] = Target(port, process.pid)

    def start_gateway(self, name, binary):
        process = self.start(
            ["taskset", "-c", "1", binary, "dev", "--json", "--data", str(self.directory / name), "--engine",
             self.engine_url], name, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        if not line:
            sys.exit("the gateway did not start:\n" + (self.directory / f"{name}.log").read_text())
        ready = json.loads(line)
        # Postgres is another process: it works beside the engine, and its time is not the gateway's.
        for child in children(process.pid):
            for pid in [child] + children(child):
                subprocess.run(["taskset", "-a", "-cp", "0", str(pid)], stdout=subprocess.DEVNULL, check=False)
        port = int(ready["gateway"].rsplit(":", 1)[1].strip("/"))
        self.targets[name] = Target(port, process.pid, ready["demo_key"], with_children=False)

    def start_peers(self):
        for name, command in PEERS.items():
            if not shutil.which(name):
                continue
            port = free_port()
            process = self.start(["taskset", "-c", "1"] + command(self, port), name)
            try:
                wait_until_answering(f"http://127.0.0.1:{port}/health", 90)
                self.targets[name] = Target(port, process.pid)
            except TimeoutError as error:
                print(f"{name} left out: {error}", flush=True)

    def envoy_configuration(self, port):
        """Envoy as a bare proxy of everything, with one worker."""
        endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.engine_port}}}
        manager = {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
                     "HttpConnectionManager",
            "stat_prefix": "bench",
            "route_config": {"virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "engine", "timeout": "0s"}}]}]},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        }
        document = {"static_resources": {
            "listeners": [{
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [{
                "name": "engine", "type": "STATIC",
                "load_assignment": {"cluster_name": "engine", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
                "circuit_breakers": {"thresholds": [{"max_connections": 8192, "max_pending_requests": 8192,
                                                     "max_requests": 8192}]}}]}}
        path = self.directory / "envoy.json"
        path.write_text(json.dumps(document))
        return str(path)

    def set_engine(self, chunks, delay_us):
        urllib.request.urlopen(f"{self.engine_url}/set?chunks={chunks}&delay_us={delay_us}", timeout=5).read()

    def measure_sync(self, count=200):
        """The median of one fdatasync after 4 KiB written into allocated space, beside the gateway's journal."""
        times = []
        path = self.directory / "sync-probe"
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, count * 4096)
            for index in range(count):
                os.pwrite(file.fileno(), b"x" * 4096, index * 4096)
                start = time.perf_counter()
                os.fdatasync(file.fileno())
                times.append((time.perf_counter() - start) * 1e6)
        path.unlink()
        self.sync_us = statistics.median(times)

    def drive(self, name, connections, form, seconds, requests=None):
        target = self.targets[name]
        command = ["taskset", "-c", "0", str(self.directory / "load"), str(target.port), target.key, MODEL,
                   str(connections), str(seconds), form] + ([str(requests)] if requests else [])
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            sys.exit(f"{name}: {result.stderr}")
        report = json.loads(result.stdout)
        if report["failures"] or not report["requests"]:
            sys.exit(f"{name}: {report['failures']} of {report['requests']} requests failed\n{result.stderr}")
        return report

    def sample(self, name, connections, form, seconds):
        """One measurement, repeated while other processes disturb it; the least disturbed one."""
        best = None
        for _ in range(RETRIES + 1):
            sample = self.sample_once(name, connections, form, seconds)
            if best is None or sample["foreign"] < best["foreign"]:
                best = sample
            if best["foreign"] <= FOREIGN_MAX:
                break
        return best

    def sample_once(self, name, connections, form, seconds):
        target = self.targets[name]
        # The engine, and the children of the gateways: Postgres.
        helpers = [Target(0, self.engine.pid)] + [
            Target(0, child) for other in self.targets.values() if not other.with_children
            for child in children(other.pid)]
        def helping():
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return usage.ru_utime + usage.ru_stime + sum(helper.seconds() for helper in helpers)
        threads, cpu, helped = target.threads(), target.seconds(), helping()
        busy, start = busy_seconds(), time.monotonic()
        sample = self.drive(name, connections, form, seconds)
        time.sleep(0.5)  # the work that a request leaves behind belongs to it
        used = target.seconds() - cpu
        elapsed = time.monotonic() - start
        sample["foreign"] = max(0.0, (busy_seconds() - busy - used - (helping() - helped)) / elapsed)
        sample["cpu_request"] = used / sample["requests"] * 1e6
        sample["cpu_chunk"] = used / sample["chunks"] * 1e6 if sample["chunks"] else 0.0
        sample["threads"] = {thread: (value - threads.get(thread, 0)) / sample["requests"] * 1e6
                             for thread, value in target.threads().items()}
        return sample
