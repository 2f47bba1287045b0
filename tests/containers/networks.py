"""Networks of namespaces: a bridge each, which nothing leads out of, and a namespace for each container."""

import subprocess
from collections.abc import Iterable
from itertools import count


def ip(*arguments: str) -> None:
    """Raises RuntimeError with what `ip` says."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Wires:
    """`host` is the namespace with the bridges, as the machine with the Docker engine is. Close it."""

    def __init__(self, prefix: str, networks: Iterable[str]) -> None:
        self._prefix = prefix
        self.host = f"{prefix}host"
        self._made = [self.host]
        self._cables = count(1)
        self._numbers = {network: count(2) for network in networks}
        self._subnets = {network: f"10.231.{at}" for at, network in enumerate(self._numbers, start=1)}
        ip("netns", "add", self.host)
        ip("-n", self.host, "link", "set", "lo", "up")
        for network in self._numbers:
            ip("-n", self.host, "link", "add", f"br-{network}", "type", "bridge")
            ip("-n", self.host, "link", "set", f"br-{network}", "up")
            ip("-n", self.host, "address", "add", f"{self._subnets[network]}.1/24", "dev", f"br-{network}")

    def namespace(self, name: str) -> str:
        """A new one with loopback alone."""
        made = f"{self._prefix}{name}"
        ip("netns", "add", made)
        self._made.append(made)
        ip("-n", made, "link", "set", "lo", "up")
        return made

    def address(self, network: str) -> str:
        """One that nobody has."""
        return f"{self._subnets[network]}.{next(self._numbers[network])}"

    def join(self, namespace: str, network: str, address: str) -> None:
        """Lay a cable from there to the network's bridge."""
        number = next(self._cables)
        ends = f"veth{number}", f"eth{number}"
        ip("-n", self.host, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", namespace)
        ip("-n", self.host, "link", "set", ends[0], "master", f"br-{network}", "up")
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", ends[1])
        ip("-n", namespace, "link", "set", ends[1], "up")

    def close(self) -> None:
        """All of it is gone."""
        for name in self._made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
