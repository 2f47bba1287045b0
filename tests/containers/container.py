"""A container as Linux has it: namespaces, a read-only root, a user without capabilities, limits."""

import os
import shlex
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.containers.images import TOOLS, Image
from tests.containers.service_settings import Told

CGROUPS = Path("/sys/fs/cgroup")
HEALTH_SECONDS = 20  # for one look at a busy machine
LOOK_SECONDS = 0.2
RESTARTS_MAX = 3  # an engine would go on for ever; who dies more often is broken
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class Box:
    """One container of a service."""

    def __init__(self, told: Told, number: int, image: Image, namespace: str, folder: Path) -> None:
        self.told, self.image, self.namespace = told, image, namespace
        self.name = f"{told.name}-{number}"
        self.log = folder / f"{self.name}.log"
        self._folder = folder / self.name
        self._process: subprocess.Popen[bytes] | None = None
        self._begun: tuple[str, dict[str, Path]] = "", {}
        self.restarts = 0  # as often as its first process has died by itself

    def start(self, hosts: str, volumes: dict[str, Path]) -> None:
        """It runs in a moment; `log` has what it says."""
        self._begun = hosts, volumes
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "hosts").write_text(hosts)
        script = self._folder / "start.sh"
        script.write_text("\n".join(self._script(volumes)))
        for kind, limit in (("memory", "memory.limit_in_bytes"), ("pids", "pids.max")):
            group = self._group(kind)
            group.mkdir(parents=True, exist_ok=True)
            (group / limit).write_text(str(self.told.memory if kind == "memory" else self.told.processes))
        own = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
        limited = "".join(f"echo $$ > {self._group(kind)}/cgroup.procs; " for kind in ("memory", "pids")) + 'exec "$@"'
        there = ["ip", "netns", "exec", self.namespace, "unshare", *own, "sh", "-e", script]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-ec", limited, "sh", *there],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def _script(self, volumes: dict[str, Path]) -> list[str]:
        """As root, before the container's own command takes its place."""
        image, uid = self.image, self.image.user
        lines = [
            "mount --make-rprivate /",
            f"mount -t tmpfs over {self._folder}",
            f"O={self._folder}; R=$O/root; mkdir $O/up $O/work $R",
            "mount -t overlay -o lowerdir=/,upperdir=$O/up,workdir=$O/work root $R",
            "mount -t proc proc $R/proc; mount -t tmpfs -o mode=755 dev $R/dev; mkdir $R/dev/shm",
            f"mount -t tmpfs -o size={self.told.shm},mode=1777 shm $R/dev/shm; ln -s /proc/self/fd $R/dev/fd",
            *(f"touch $R/dev/{one}; mount --bind /dev/{one} $R/dev/{one}" for one in DEVICES),
        ]
        if "/opt/kafka/libs" in image.folders:
            lines.append(
                f"mkdir -p $R/opt/kafka/libs; cp {image.folders['/opt/kafka/libs']}/*.jar {TOOLS} $R/opt/kafka/libs"
            )
        for place, source in image.folders.items():
            if place != "/opt/kafka/libs":
                lines.append(f"mkdir -p $R{place}; mount --bind {source} $R{place}; mount -o remount,bind,ro $R{place}")
        for place, text in image.files.items():
            quoted = shlex.quote(text)
            lines.append(f"mkdir -p $R{Path(place).parent}; printf %s {quoted} > $R{place}; chmod 755 $R{place}")
        lines += [f"mkdir -p $R{place}; chown {uid}:{uid} $R{place}" for place in image.owned]
        for place, options in self.told.tmpfs:
            there = f"P=$R$(chroot $R realpath -m {place})"  # through links, as within
            lines.append(f"{there}; mkdir -p $P; mount -t tmpfs -o noexec,nosuid,nodev,{options} tmpfs $P")
        for source, place, read_only in self.told.volumes:
            lines.append(self._mounted(volumes[source], place, read_only=read_only))
        inside = ["env", "-i", *self._environment(), *self.dropped(), *self.command()]
        lines += [
            'echo "$HOSTS" > $R/etc/hosts',
            "rm -rf $R/etc/resolv.conf; echo 'nameserver 127.0.0.1' > $R/etc/resolv.conf",
            "mount -o remount,ro $R" if self.told.raw.get("read_only") else "",
            f"exec chroot $R sh -c {shlex.quote(f'cd {image.workdir}; exec ' + shlex.join(inside))}",
        ]
        return [f"HOSTS=$(cat {self._folder}/hosts)", *lines]

    def _mounted(self, source: Path, place: str, *, read_only: bool) -> str:
        uid = self.image.user
        made = f"touch $R{place}" if source.is_file() else f"mkdir -p $R{place}; chown {uid}:{uid} {source}"
        bound = f"mkdir -p $R{Path(place).parent}; {made}; mount --bind {source} $R{place}"
        return f"{bound}; mount -o remount,bind,ro $R{place}" if read_only else bound

    def _environment(self) -> list[str]:
        return [f"{name}={value}" for name, value in {**self.image.environment, **self.told.environment}.items()]

    def dropped(self) -> list[str]:
        """What comes before a command, so that it has the container's user and what it may do."""
        told = ["--reuid", str(self.image.user), "--regid", str(self.image.user), "--clear-groups", "--inh-caps=-all"]
        if "ALL" in self.told.raw.get("cap_drop", []):
            told.append("--bounding-set=-all" + "".join(f",+{one}" for one in self.told.capabilities))
        if "no-new-privileges:true" in self.told.raw.get("security_opt", []):
            told.append("--no-new-privs")
        return ["setpriv", *told]

    def command(self) -> list[str]:
        """What its first process becomes."""
        return [*(self.told.entrypoint or self.image.entrypoint), *(self.told.command or self.image.command)]

    @property
    def pid(self) -> int:
        """Of its first process, as this machine counts; 0 once it has ended."""
        with suppress(OSError, IndexError, AttributeError):
            parent = self._process.pid  # type: ignore[union-attr]
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            return int(children[0])
        return 0

    @property
    def ended(self) -> bool:
        """Whether it has run, and does not any more."""
        return self._process is not None and self._process.poll() is not None

    def exec(self, *command: str, user: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command beside its first process, as `docker exec` does."""
        inside = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--root"]
        there = [*inside, f"--wd=/proc/{self.pid}/root{self.image.workdir}", "env", "-i", *self._environment()]
        return subprocess.run(
            [*there, *(self.dropped() if user else []), *command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def health(self, test: list[str]) -> str:
        """Nothing while it is well."""
        if not self.pid:
            return f"{self.name} does not run"
        try:
            done = self.exec(*(test or ["python", "docker-entrypoint", "healthy"]), timeout=HEALTH_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{self.name} does not say how it is"
        return "" if done.returncode == 0 else f"{self.name}: {done.stdout}{done.stderr}".strip()

    def wait_until_healthy(self, seconds: float) -> None:
        """Raises RuntimeError with why it is not, and the end of its log."""
        deadline = time.monotonic() + seconds
        while wrong := self.health(self.told.health):
            if self.ended and self.told.raw["restart"] != "no" and self.restarts < RESTARTS_MAX:
                self.restarts += 1
                self.start(*self._begun)
            elif time.monotonic() > deadline or self.ended:
                raise RuntimeError(f"{wrong}\n{self.tail()}")
            time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline

    def wait_until_done(self, seconds: float) -> None:
        """Raises RuntimeError where it fails."""
        assert self._process is not None
        if self._process.wait(seconds):
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}\n{self.tail()}")

    def stop(self, seconds: float) -> int | None:
        """As its image is asked to; how it ended, or None where it had to be killed."""
        if self._process is None:
            return 0
        with suppress(ProcessLookupError):
            if self.pid:
                os.kill(self.pid, self.image.stops_by)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()  # and its first process with it
            self._process.wait()
            return None

    def forget(self) -> None:
        """Its limits are gone."""
        for kind in ("memory", "pids"):
            with suppress(OSError):
                self._group(kind).rmdir()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def _group(self, kind: str) -> Path:
        return CGROUPS / kind / f"{self.namespace}-{self.name}"
