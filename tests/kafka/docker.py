"""Kafka's own image, where a Docker engine answers. For `make kafka`: tests kill brokers and take away their disks."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kafka.cluster import wait_until_it_answers
from tests.kafka.jars import version
from tests.kafka.settings import as_environment, server_settings

IMAGE = f"apache/kafka:{version()}"
NAME = "mcommerce-kafka"  # of the network, and with the counts of the containers and of the volumes
CLUSTER_ID = "bWNvbW1lcmNlLWthZmthMQ"  # any will do: when volumes are gone, the topics' ids tell that it is another
ENGINE_SECONDS = 10  # to answer; one that sleeps needs some
STOP_SECONDS = 10  # then the engine kills the container
DATA = "/var/lib/kafka/data"  # the image's own place for it
# Ports inside a container: for this machine, for the other brokers, for controllers.
HOST, INSIDE, CONTROL = 9092, 19092, 9093


class Containers:
    """The same as `Cluster`, each broker in a container. Data stays in Docker's volumes, logs go to `folder`."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self._folder, self._ports = folder, ports
        self.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        self._clients: list[subprocess.Popen[bytes]] = []

    @property
    def running(self) -> bool:
        """Whether all of them are."""
        return all(client.poll() is None for client in self._clients)

    def start(self) -> None:
        """Returns once each answers and knows them all."""
        if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode:
            subprocess.run(["docker", "pull", IMAGE], check=True)
        subprocess.run(["docker", "network", "create", NAME], capture_output=True)  # or it is there already
        self._folder.mkdir(parents=True, exist_ok=True)
        numbers = set(range(1, len(self._ports) + 1))
        for number, command in zip(numbers, commands(self._ports), strict=True):
            with self._log(number).open("wb") as log:
                # A group of its own: Ctrl-C is for whoever started it, who stops it in order.
                client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
            self._clients.append(client)
        for number, port in zip(numbers, self._ports, strict=True):
            wait_until_it_answers(
                f"127.0.0.1:{port}", numbers.__eq__, lambda: self.running, self._log(number).read_text
            )

    def stop(self) -> None:
        """In order. Harmless when they do not run."""
        clients, self._clients = self._clients, []
        if clients:
            names = [_name(self._ports, number) for number in range(1, len(self._ports) + 1)]
            subprocess.run(["docker", "stop", f"-t{STOP_SECONDS}", *names], capture_output=True)
        for client in clients:
            client.wait()

    def _log(self, number: int) -> Path:
        return self._folder / f"{number}.log"


def engine_answers() -> bool:
    """Whether there is a Docker that can run containers: the client alone cannot."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=ENGINE_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def commands(ports: list[int]) -> Iterator[list[str]]:
    """`docker run` for each broker: reached from this machine by its port on loopback, by the others by its name."""
    voters = {number: f"{_name(ports, number)}:{CONTROL}" for number in range(1, len(ports) + 1)}
    for number, port in enumerate(ports, start=1):
        name = _name(ports, number)
        settings = server_settings(
            number,
            voters,
            listeners={"HOST": f":{HOST}", "PLAINTEXT": f":{INSIDE}", "CONTROLLER": f":{CONTROL}"},
            advertised={"HOST": f"127.0.0.1:{port}", "PLAINTEXT": f"{name}:{INSIDE}"},
        )
        command = ["docker", "run", "--rm", f"--name={name}", f"--hostname={name}", f"--network={NAME}"]
        command += [f"--publish=127.0.0.1:{port}:{HOST}", f"--volume={name}:{DATA}", f"--env=CLUSTER_ID={CLUSTER_ID}"]
        environment = as_environment(settings | {"log.dirs": DATA})
        command += [f"--env={variable}={value}" for variable, value in environment.items()]
        yield [*command, IMAGE]


def _name(ports: list[int], number: int) -> str:
    return f"{NAME}-{number}-of-{len(ports)}"
