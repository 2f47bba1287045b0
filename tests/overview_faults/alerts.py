"""A scraper of /metrics, and the alerts that the shipped rules make of its record, by promtool."""

import re
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.live_site import ROOT

RULES = ROOT / "docs" / "monitoring" / "alerts.yml"
SCRAPE_SECONDS = 5.0  # as the rules are evaluated
ANSWER_SECONDS = 10.0  # as Prometheus waits by default
WANTED = re.compile(r"^((?:eventbus|mcommerce|outside)_\w+?)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LEFT_OUT = re.compile(r"_(?:bucket|sum|count|created)$|^mcommerce_sockets")  # no rule asks for them
FIRED = re.compile(r'alertname="(\w+)"')


class Scraper:
    """A thread that asks each server for its metrics, as Prometheus does."""

    def __init__(self, servers: list[str]) -> None:
        self._servers = servers
        self._scrapes: list[dict[str, str]] = []
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def mark(self) -> int:
        """The number of scrapes so far: `fired` counts from there."""
        with self._lock:
            return len(self._scrapes)

    def fired(self, begin: int, end: int | None = None) -> set[str]:
        """The alerts that fired in these scrapes."""
        with self._lock:
            return judged(self._scrapes[begin:end])

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += SCRAPE_SECONDS
            found: dict[str, str] = {}
            for number, server in enumerate(self._servers):
                found |= scraped(server, f'job="mcommerce", instance="server-{number}"')
            with self._lock:
                self._scrapes.append(found)


def scraped(server: str, instance: str) -> dict[str, str]:
    """The samples of a server by their series, and `up`."""
    try:
        answer = requests.get(f"{server}/metrics", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
    except requests.RequestException:
        return {f"up{{{instance}}}": "0"}
    found = {f"up{{{instance}}}": "1"}
    for name, labels, value in WANTED.findall(answer.text):
        if not LEFT_OUT.search(name):
            found[f"{name}{{{', '.join(filter(None, [labels, instance]))}}}"] = value
    return found


def judged(scrapes: list[dict[str, str]]) -> set[str]:
    """The alerts that fire when Prometheus gets these scrapes, by promtool."""
    names = sorted({name for scrape in scrapes for name in scrape})
    length = int(SCRAPE_SECONDS * (len(scrapes) + 1))
    case: dict[str, Any] = {
        "interval": f"{SCRAPE_SECONDS:.0f}s",
        "input_series": [
            {"series": name, "values": " ".join(scrape.get(name, "stale") for scrape in scrapes)} for name in names
        ],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{length}s]))',
                "eval_time": f"{SCRAPE_SECONDS * (len(scrapes) - 1):.0f}s",
                "exp_samples": [{"labels": '{alertname="none"}', "value": 1}],  # so that it tells what it got
            }
        ],
    }
    told = promtool({"rule_files": [str(RULES)], "evaluation_interval": f"{SCRAPE_SECONDS:.0f}s", "tests": [case]})
    return set(FIRED.findall(told.partition("got:")[2]))


def promtool(test: dict[str, Any]) -> str:
    """What it prints. Raises FileNotFoundError without promtool."""
    found = shutil.which("promtool")
    if found is None:
        raise FileNotFoundError("promtool is missing (Debian: apt install prometheus)")
    done = subprocess.run(
        [found, "test", "rules", "/dev/stdin"], input=yaml.safe_dump(test), capture_output=True, text=True, check=False
    )
    told = done.stdout + done.stderr
    if "got:" not in told:
        raise RuntimeError(told)
    return told


def is_there() -> bool:
    return shutil.which("promtool") is not None and Path(RULES).exists()
