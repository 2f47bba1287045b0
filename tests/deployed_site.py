"""A deployed site for tests: static files collected, and the image's own server, as a proxy with HTTPS asks it.

The tests' browser is the proxy too: it sends the header in which a proxy says that its visitor came by HTTPS.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live_site import ROOT, LiveSite

PROXY_HEADERS = {"X-Forwarded-Proto": "https"}
LEFT_OUT = (".*", "var", "tests", "staticfiles", "benchmarks", "docs", "__pycache__")  # a site runs without them


class DeployedSite(LiveSite):
    """One process that serves all, from a copy of the code whose static files are collected beside it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (directory / "var").mkdir()  # a deployed site's folder is there before it
        self.tree = directory / "tree"
        self.environment |= {
            "ALLOWED_HOSTS": "127.0.0.1,site.invalid",  # with a name of its own it is no local site
            "DEMO": "0",
            "TRUST_PROXY": "1",
            "SECRET_KEY": "a-key-of-this-test-that-is-long-enough-to-be-taken-for-a-real-one",
            "SANDBOX_PROVIDER_KEY": "key",
            "SANDBOX_WEBHOOK_SECRET": "secret",
            "EMAIL_URL": "dummy:",
            "LISTEN_HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def collect(self) -> None:
        """Copy the code, and collect its static files as the image does."""
        shutil.copytree(ROOT, self.tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        self.manage("collectstatic", "--noinput", "--verbosity=0")

    @property
    def code(self) -> Path:
        return self.tree

    def command(self) -> list[str]:
        return [sys.executable, "docker-entrypoint", "all"]


@contextmanager
def running_deployed_site(directory: Path, prepared: Path) -> Iterator[DeployedSite]:
    """A started deployed site with the tables and the catalogue of `prepared`, killed at the end."""
    site = DeployedSite(directory)
    shutil.copy(prepared, site.database_path)
    try:
        site.collect()
        site.start()
        yield site
    finally:
        site.kill()
