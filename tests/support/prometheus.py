"""A real Prometheus in the container, with the rules that `monitor deploy prometheus` wrote, sped up."""

from __future__ import annotations

import ctypes
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.support.container import Container

FOLDER: Final = "/etc/monitor-prometheus"
RULES: Final = ("monitor.rules.yml", "monitor.alerts.yml")
ADDRESS: Final = "http://127.0.0.1:9090"
# Rules speak of minutes and hours; a test has seconds and minutes.
QUICKER: Final = 60
HOLDS_QUICKER: Final = 240
# Of windows: rates need two scrapes, which are a second apart.
SHORTEST_SECONDS: Final = 4
CLONE_NEWNET: Final = 0x40000000

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = r"(?:\d+[dhms])+"


def quicker(rules: str) -> str:
    """Rules with every time in them divided by `QUICKER`: windows, offsets, and bounds of ages; holds by more."""
    rules = re.sub(rf"(\[|offset )({_DURATION})", lambda match: match[1] + _shorter(match[2]), rules)
    rules = re.sub(rf'(for: "?)({_DURATION})', lambda match: f"{match[1]}{_held(match[2])}", rules)
    bound = r"(time\(\) - .*?(?:[<>]=?)(?: bool)?) (\d+)"
    return re.sub(bound, lambda match: f"{match[1]} {_divided(match[2])}", rules)


def _shorter(duration: str) -> str:
    return f"{max(_seconds(duration) // QUICKER, SHORTEST_SECONDS)}s"


def _held(duration: str) -> str:
    return f"{max(_seconds(duration) // HOLDS_QUICKER, 2)}s"


def _seconds(duration: str) -> int:
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([dhms])", duration))


def _divided(seconds: str) -> str:
    return f"{int(seconds) / QUICKER:g}"


class Prometheus:
    """Scrapes the daemon of the container once a second."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self._inside = ThreadPoolExecutor(1, initializer=_enter_network, initargs=(container.leader,))

    def start(self) -> None:
        """Run it over the files in `FOLDER`."""
        configuration = self.container.path(f"{FOLDER}/prometheus.yml")
        text = re.sub(r"(_interval: *)\S+", r"\g<1>1s", configuration.read_text())
        configuration.write_text(text)
        for name in RULES:
            rules = self.container.path(f"{FOLDER}/{name}")
            rules.write_text(quicker(rules.read_text()))
        self.container.run("promtool", "check", "config", f"{FOLDER}/prometheus.yml")
        options = (f"--config.file={FOLDER}/prometheus.yml", "--storage.tsdb.path=/var/lib/monitor-prometheus")
        listen = f"--web.listen-address={ADDRESS.removeprefix('http://')}"
        self.container.run("systemd-run", "--unit=monitor-prometheus", "prometheus", *options, listen)
        self.container.wait_until(self._is_ready, "monitor-prometheus")

    def _is_ready(self) -> bool:
        try:
            return bool(self.query("up"))
        except OSError:
            return False

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series that an expression has now."""
        found = self._ask("query", query=expression)
        assert found["resultType"] in ("vector", "scalar"), expression
        if found["resultType"] == "scalar":
            return [({}, float(found["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in found["result"]]

    def value(self, expression: str) -> float:
        """The value of the one series that an expression has."""
        ((_, value),) = self.query(expression)
        return value

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}

    def _ask(self, what: str, **parameters: str) -> Any:
        url = f"{ADDRESS}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        return self._inside.submit(_fetch, url).result()["data"]


def _enter_network(leader: int) -> None:
    """Move this thread alone into the network of the container, which has a loopback of its own."""
    descriptor = os.open(f"/proc/{leader}/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(descriptor)


def _fetch(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it is still starting
            raise ConnectionError(url) from None
        raise AssertionError(f"{url}: {error.read().decode()}") from None
