"""Brokers of one's own on loopback, for as long as a test run lasts or for `make kafka`; each is a Java process."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.free_ports import free_ports
from tests.kafka.jars import class_archive, fetch_jars, find_java, one_at_a_time
from tests.kafka.settings import as_properties, server_settings
from tests.temporary_folders import throwaway_folder

START_SECONDS = 90  # one broker needs five; three beside a test run on two cores ten times as much
ARCHIVE_SECONDS = 120  # for a broker that stops and writes down the classes that it has loaded; alone it takes three
STOP_SECONDS = 15  # an orderly stop takes one; then it is killed, and reads its log anew when it starts again
ASK_SECONDS = 2  # for one answer of a broker that starts
LOG_TAIL_BYTES = 4000  # of its log, for whoever reads why it did not start
FORMATTED = "formatted"  # in the folder of the jars: what a new broker's disk holds, without the names of the broker
JVM = (
    "-Xmx256m",  # it needs 100; three of them and a browser fit on a small machine
    "-XX:+UseSerialGC",  # the three make it start a second sooner
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class Broker:
    """One node, broker and controller in one. It can be stopped, killed, robbed of its disk, and started again."""

    def __init__(self, folder: Path, settings: dict[str, str], cluster_id: str, options: Sequence[str]) -> None:
        self.number = int(settings["node.id"])
        self.address = settings["advertised.listeners"].partition("://")[2]
        self._folder, self.data, self._log = folder, folder / "data", folder / "broker.log"
        self._settings, self._cluster_id = settings | {"log.dirs": str(self.data)}, cluster_id
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that runs, or 0."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Where it was: same port, same data. Returns once it answers and knows itself."""
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        properties.write_text(as_properties(self._settings))
        with self._log.open("ab") as log:
            if not (self.data / "meta.properties").exists():
                self._format(properties, log)
            # A group of its own: Ctrl-C is for whoever started it, who stops it in order.
            command = self._java("kafka.Kafka", str(properties))
            self._process = subprocess.Popen(command, stdout=log, stderr=log, process_group=0)
        self._guard = _guard(self._process.pid)
        wait_until_it_answers(self.address, lambda brokers: self.number in brokers, lambda: self.running, self.log_tail)

    def stop(self, within: float = STOP_SECONDS) -> bool:
        """In order; after so many seconds it is killed, which is False. Harmless when it does not run."""
        return self._end(signal.SIGTERM, within)

    def kill(self) -> None:
        """At once, as `kill -9` does. Harmless when it does not run."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Its disk is lost: killed, and without any data when it starts again, though under its old cluster id."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def has_said(self, words: str) -> int:
        """How often its log holds these words."""
        return self._log.read_text(errors="replace").count(words)

    def log_tail(self) -> str:
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    def _format(self, properties: Path, log: IO[bytes]) -> None:
        """By Kafka's own tool, or as it did that for an earlier broker: a second of the processor less each time."""
        kept = fetch_jars() / FORMATTED
        if kept.exists():
            shutil.copytree(kept, self.data, dirs_exist_ok=True)
            names = {"cluster.id": self._cluster_id, "directory.id": new_id(), "node.id": str(self.number)}
            (self.data / "meta.properties").write_text(as_properties({"version": "1"} | names))
            return
        tool = ["kafka.tools.StorageTool", "format", f"--config={properties}"]
        done = subprocess.run(self._java(*tool, f"--cluster-id={self._cluster_id}"), stdout=log, stderr=log)
        if done.returncode == 0:  # else the log tells why
            part = kept.with_name(f"{FORMATTED}-{new_id()}")  # renamed when it is whole
            shutil.copytree(self.data, part, ignore=shutil.ignore_patterns("meta.properties"))
            try:
                part.rename(kept)
            except OSError:  # another test run was faster
                shutil.rmtree(part)

    def _java(self, *arguments: str) -> list[str]:
        return [find_java(), *JVM, *self._options, "-cp", f"{fetch_jars()}/*", *arguments]

    def _end(self, how: signal.Signals, within: float = STOP_SECONDS) -> bool:
        process, self._process = self._process, None
        guard, self._guard = self._guard, None
        if process is None:
            return True
        process.send_signal(how)
        try:
            process.wait(within)
            by_itself = True
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            by_itself = False
        if guard is not None:
            guard.kill()
            guard.communicate()  # which closes its pipe as well
        return by_itself


class Cluster:
    """Brokers that know one another. What they keep lies in `folder` and is found again there.

    ports: one a broker, for clients. The brokers' own are taken where they are free.
    doors: where clients are sent instead, one a broker, if something stands between.
    options: for Java, more than JVM; without any, the classes that an earlier broker has loaded are taken from it.
    """

    def __init__(
        self, folder: Path, ports: list[int], doors: Sequence[int] = (), options: Sequence[str] | None = None
    ) -> None:
        self._folder, self._ports, self._doors, self._options = folder, ports, doors or ports, options
        self.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in self._doors)
        self.brokers: list[Broker] = []

    @property
    def running(self) -> bool:
        """Whether all of them are."""
        return all(broker.running for broker in self.brokers)

    def start(self) -> None:
        """Returns once each answers and knows them all. Raises KafkaMissing."""
        if not self.brokers:
            self.brokers = self._make_brokers()
        with ThreadPoolExecutor(len(self.brokers)) as pool:  # one alone would wait for a majority
            list(pool.map(Broker.start, self.brokers))
        for broker in self.brokers:
            wait_until_it_answers(broker.address, self._complete, lambda: self.running, broker.log_tail)

    def stop(self) -> None:
        """In order. Harmless when they do not run."""
        self._each(Broker.stop)

    def kill(self) -> None:
        """All at once, as a power cut does."""
        self._each(Broker.kill)

    def wipe(self) -> None:
        """Everything is lost: the next start makes another cluster, with another id, at the same addresses."""
        self.kill()
        self.brokers = []
        shutil.rmtree(self._folder, ignore_errors=True)

    def _each(self, do: Callable[[Broker], object]) -> None:
        with ThreadPoolExecutor(max(1, len(self.brokers))) as pool:
            list(pool.map(do, self.brokers))

    def _complete(self, known: set[int]) -> bool:
        return known == {broker.number for broker in self.brokers}

    def _make_brokers(self) -> list[Broker]:
        self._folder.mkdir(parents=True, exist_ok=True)
        numbers = range(1, len(self._ports) + 1)
        voters = {number: f"127.0.0.1:{port}" for number, port in zip(numbers, free_ports(len(numbers)), strict=True)}
        options = _kept_classes() if self._options is None else self._options
        brokers = []
        for number, port, door in zip(numbers, self._ports, self._doors, strict=True):
            listeners = {"PLAINTEXT": f"127.0.0.1:{port}", "CONTROLLER": voters[number]}
            clients = {"PLAINTEXT": f"127.0.0.1:{door}"}
            settings = server_settings(number, voters, listeners=listeners, advertised=clients)
            brokers.append(Broker(self._folder / str(number), settings, self._cluster_id(), options))
        return brokers

    def _cluster_id(self) -> str:
        file = self._folder / "cluster-id"
        if not file.exists():
            file.write_text(new_id())
        return file.read_text()


@contextmanager
def stoppable_brokers(
    brokers: int = 1,
    *,
    ports: Sequence[int] = (),
    doors: Sequence[int] = (),
    within: Path | None = None,
    on_disk: bool = False,
) -> Iterator[Cluster]:
    """A running cluster in a folder, `within` another, that is gone afterwards. Raises KafkaMissing."""
    with throwaway_folder("kafka-", within=within, on_disk=on_disk) as folder:
        cluster = Cluster(folder / "cluster", list(ports) or free_ports(brokers), doors)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.kill()  # nobody needs what it holds


@contextmanager
def temporary_broker(brokers: int = 1, *, on_disk: bool = False) -> Iterator[str]:
    """The bootstrap servers, host:port and commas, of a running cluster. Raises KafkaMissing."""
    with stoppable_brokers(brokers, on_disk=on_disk) as cluster:
        yield cluster.bootstrap_servers


def wait_until_it_answers(
    address: str, enough: Callable[[set[int]], bool], alive: Callable[[], bool], log: Callable[[], str]
) -> None:
    """Until the broker at `address` knows brokers whose numbers are `enough`. `log` says why it did not."""
    deadline = time.monotonic() + START_SECONDS
    while alive() and time.monotonic() < deadline:
        if enough(known_brokers(address)):
            return
        time.sleep(0.05)  # between two tries of a poll that has a deadline
    raise RuntimeError(f"Kafka did not start at {address}: {log()}")


def known_brokers(address: str) -> set[int]:
    """The numbers of the brokers that the one at `address`, host:port, knows; empty when none answers."""
    host, _, port = address.rpartition(":")
    try:  # first by hand: the client would wait before it tries again
        socket.create_connection((host, int(port)), ASK_SECONDS).close()
        client = AdminClient({"bootstrap.servers": address, "log_level": 0})
        return set(client.list_topics(timeout=ASK_SECONDS).brokers)
    except (OSError, KafkaException):
        return set()


def new_id() -> str:
    """For a cluster or a disk, as Kafka writes its own."""
    return urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Kills that process when this one dies and nobody else could: the pipe is closed then, and `read` returns."""
    return subprocess.Popen(["sh", "-c", f"read _; kill -9 {pid}"], stdin=subprocess.PIPE, process_group=0)


def _kept_classes() -> list[str]:
    """Java's option to take Kafka's classes as one file, which is made here the first time: a start costs half then."""
    archive = class_archive()
    if not archive.exists():
        with one_at_a_time():
            if not archive.exists():
                _keep_classes(archive)
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []  # not every Java makes one


def _keep_classes(archive: Path) -> None:
    """By a broker that comes and goes: Java writes at its end which classes it has loaded."""
    part = archive.with_suffix(".part")  # renamed when it is whole
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        teacher = Cluster(Path(folder) / "cluster", free_ports(1), options=[f"-XX:ArchiveClassesAtExit={part}"])
        try:
            teacher.start()
            if teacher.brokers[0].stop(within=ARCHIVE_SECONDS) and part.exists():
                part.rename(archive)
        finally:
            teacher.kill()
            part.unlink(missing_ok=True)
