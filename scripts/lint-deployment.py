"""Checks docker/ as far as that goes without a container engine: compose file, Prometheus, Grafana, names between them.

Every finding is one line; exit code 1 if there is any.
"""

import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
SERVICE_KEYS = {
    "build", "command", "depends_on", "entrypoint", "environment", "expose", "healthcheck", "image", "ports", "restart",
    "stop_grace_period", "ulimits", "user", "volumes",
}
TOP_KEYS = {"name", "services", "volumes", "networks", "configs", "secrets"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}

findings = []


def complain(path, message):
    findings.append(f"{path.relative_to(ROOT)}: {message}")


def load(path):
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        complain(path, f"is not YAML: {error}")
        return {}


def check_compose(path):
    """The parts of the Compose specification that this file uses, and that every name in it leads somewhere."""
    compose = load(path)
    for key in compose:
        if key not in TOP_KEYS and not key.startswith("x-"):
            complain(path, f"unknown key '{key}'")
    services, volumes = compose.get("services", {}), compose.get("volumes", {})
    used = set()
    for name, service in services.items():
        for key in set(service) - SERVICE_KEYS:
            complain(path, f"{name}: unknown key '{key}'")
        if "image" not in service and "build" not in service:
            complain(path, f"{name}: has neither image nor build")
        check_build(path, name, service.get("build"))
        check_dependencies(path, name, service.get("depends_on", {}), services)
        for port in service.get("ports", []):
            if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", str(port)):
                complain(path, f"{name}: port {port} is not published on loopback alone")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (path.parent / source).exists():
                    complain(path, f"{name}: mounts {source}, which does not exist")
            elif source not in volumes:
                complain(path, f"{name}: the volume {source} is not declared")
            else:
                used.add(source)
    for name in set(volumes) - used:
        complain(path, f"the volume {name} is used by nothing")
    asked = set(re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8")))
    offered = set(re.findall(r"^(\w+)=", (DOCKER / "env.example").read_text(encoding="utf-8"), re.MULTILINE))
    for name in asked ^ offered:
        complain(path, f"{name} is in only one of compose.yaml and env.example")
    return services


def check_build(path, name, build):
    if build is None:
        return
    context = (path.parent / build.get("context", ".")).resolve()
    if not (context / build.get("dockerfile", "Dockerfile")).is_file():
        complain(path, f"{name}: there is no {build.get('dockerfile')} in the build context")


def check_dependencies(path, name, dependencies, services):
    conditions = dependencies if isinstance(dependencies, dict) else {key: {} for key in dependencies}
    for other, settings in conditions.items():
        condition = settings.get("condition", "service_started")
        if other not in services:
            complain(path, f"{name}: depends on {other}, which is no service")
        elif condition not in CONDITIONS:
            complain(path, f"{name}: unknown condition {condition}")
        elif condition == "service_healthy" and "healthcheck" not in services[other]:
            complain(path, f"{name}: waits for the health of {other}, which has no health check")


def check_dockerfile(path):
    """What is copied from the build context exists, and is let through by .dockerignore."""
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        for source in line.split()[:-1]:
            if not (ROOT / source).exists():
                complain(path, f"copies {source}, which does not exist")
            if source not in let_through:
                complain(path, f"copies {source}, which .dockerignore keeps away")


def check_prometheus(path, services):
    for job in load(path).get("scrape_configs", []):
        for group in job.get("static_configs", []):
            for target in group["targets"]:
                if target.split(":")[0] not in services:
                    complain(path, f"scrapes {target}, which is no service of compose.yaml")


def check_dashboard(path, datasources, known):
    """Panels have ids of their own, a known data source, and ask for metrics that the sources write."""
    try:
        dashboard = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        complain(path, f"is not JSON: {error}")
        return
    for key in ("uid", "title", "panels", "schemaVersion"):
        if key not in dashboard:
            complain(path, f"has no {key}")
    identifiers = [panel.get("id") for panel in dashboard.get("panels", [])]
    if len(identifiers) != len(set(identifiers)) or None in identifiers:
        complain(path, "its panels lack ids of their own")
    for panel in dashboard.get("panels", []):
        if panel.get("datasource", {}).get("uid") not in datasources:
            complain(path, f"{panel.get('title')}: its data source is not provisioned")
        for target in panel.get("targets", []):
            for metric in sorted(set(re.findall(r"\b(?:gen_ai|tollgate|http)_\w+(?=[{\[)])", target["expr"]))):
                if metric not in known and re.sub(r"_(bucket|sum|count)$", "", metric) not in known:
                    complain(path, f"{panel.get('title')}: no source file names the metric or label {metric}")


def main():
    services = check_compose(DOCKER / "compose.yaml")
    check_dockerfile(DOCKER / "Dockerfile")
    check_prometheus(DOCKER / "prometheus.yml", services)
    provisioning = DOCKER / "grafana" / "provisioning"
    datasources = {
        source["uid"]
        for path in sorted((provisioning / "datasources").glob("*.yaml"))
        for source in load(path)["datasources"]
    }
    for path in sorted((provisioning / "dashboards").glob("*.yaml")):
        load(path)
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "Sources").rglob("*.swift")))
    known = set(re.findall(r"\b(?:gen_ai|tollgate|http)_\w+", sources))
    dashboards = sorted((DOCKER / "grafana" / "dashboards").glob("*.json"))
    if not dashboards:
        complain(DOCKER / "grafana" / "dashboards", "is empty")
    for path in dashboards:
        check_dashboard(path, datasources, known)
    for finding in dict.fromkeys(findings):
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
