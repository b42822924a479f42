"""Debian's real Prometheus: started by a test with its own configuration, stopped by its pid.

Not one for the whole process as the servers beside it: what a test wants is in the configuration.
"""

import contextlib
import http.client
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import servers
from tests.support.servers import free_port, needs

servers.PACKAGES |= {"promtool": "prometheus"}

CONFIGURATION = """\
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
scrape_configs: []
"""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus. `folder` holds its data and configuration."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples that it gives now, as its API has them."""
        asked = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def until(self, expression: str, within: float = 20.0) -> list[dict[str, Any]]:
        """Wait until an expression gives samples: scraping takes its time."""
        deadline = time.monotonic() + within
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"{expression} still gives nothing"
            time.sleep(0.05)
        return found

    def ready(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with contextlib.closing(connection):
            connection.request("GET", "/-/ready")
            if connection.getresponse().status != 200:
                raise OSError("not ready yet")


Start = Callable[..., Prometheus]


@contextlib.contextmanager
def running_prometheus(
    configuration: str = CONFIGURATION, rules: Mapping[str, str] | None = None, *options: str
) -> Iterator[Prometheus]:
    """Start one with a configuration and files of rules beside it, by their names."""
    server = needs("prometheus")
    with servers._folder() as folder:
        running = Prometheus(folder, free_port())
        (folder / "prometheus.yml").write_text(configuration)
        for name, text in (rules or {}).items():
            (folder / name).write_text(text)
        command = [
            str(server),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{running.port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
            *options,
        ]
        with servers._running(command, folder, running.ready):
            yield running


@pytest.fixture
def prometheus() -> Iterator[Start]:
    """Start Prometheus: `prometheus(configuration, {"rules.yml": …}, "--option")`."""
    with contextlib.ExitStack() as stack:

        def start(
            configuration: str = CONFIGURATION,
            rules: Mapping[str, str] | None = None,
            *options: str,
        ) -> Prometheus:
            return stack.enter_context(running_prometheus(configuration, rules, *options))

        yield start
