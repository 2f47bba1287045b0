"""What stands in for the images: this machine's programs, with the images' users, folders and first commands."""

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.kafka.jars import fetch_jars, find_java, version

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path.home() / f".m2/repository/org/apache/kafka/kafka-tools/{version()}/kafka-tools-{version()}.jar"
FETCH_SECONDS = 300  # a jar of some 700 kB
APPUSER = 1000  # of Kafka's image

POSTGRES = """\
set -e
data=/var/lib/postgresql/data
if [ ! -e $data/PG_VERSION ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    {binaries}/initdb --pgdata=$data --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >> $data/pg_hba.conf
    {binaries}/postgres --single -D $data postgres <<< "CREATE DATABASE $POSTGRES_USER;" >/dev/null
fi
exec {binaries}/postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
"""
# As /etc/kafka/docker/run and launch of Kafka's image: Kafka's own class writes the settings, and formats the disk.
KAFKA = """\
set -e
test -w /opt/kafka/config || { echo "/opt/kafka/config/ not writable"; exit 1; }
mkdir -p "$LOG_DIR"
said=$({java} -Xmx128m -cp "/opt/kafka/libs/*" kafka.docker.KafkaDockerWrapper setup \\
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \\
    --final-configs-dir /opt/kafka/config 2>&1) \\
    || echo "$said" | grep -i "already formatted" || { echo "$said"; exit 1; }
exec {java} $KAFKA_HEAP_OPTS -Dorg.slf4j.simpleLogger.defaultLogLevel=info "-Xlog:gc*:file=$LOG_DIR/gc.log" \\
    -cp "/opt/kafka/libs/*" kafka.Kafka /opt/kafka/config/server.properties
"""
ACLS = """\
#!/bin/bash
exec {java} $KAFKA_HEAP_OPTS -cp "/opt/kafka/libs/*" org.apache.kafka.tools.AclCommand "$@"
"""


class Missing(Exception):
    """What this machine lacks, and what to do."""


@dataclass
class Image:
    """`folders` are links to what lies elsewhere, `files` are texts, by their places in the container."""

    entrypoint: list[str]
    command: list[str] = field(default_factory=list)
    user: int = 0
    stops_by: signal.Signals = signal.SIGTERM
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    owned: list[str] = field(default_factory=list)  # by the user, empty


def of_site(tree: Path, uid: int, environment: dict[str, str]) -> Image:
    """`tree` is the site's, as the Dockerfile leaves it."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return Image(
        entrypoint=["python", "docker-entrypoint"],
        user=uid,
        workdir="/srv/mcommerce",
        environment={"PATH": path, "HOME": "/var/lib/mcommerce", **environment},
        folders={"/srv/mcommerce": tree},
        owned=["/var/lib/mcommerce", "/var/lib/mcommerce/media"],
    )


def others(users: dict[str, int]) -> dict[str, Image]:
    """By the beginning of their names. Raises Missing, KafkaMissing."""
    binaries, java = _postgres(), find_java()
    kafka = Image(
        entrypoint=["bash", "-c", KAFKA.replace("{java}", java)],
        user=APPUSER,
        environment={"PATH": f"{Path(java).parent}:/usr/bin:/bin", "CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"},
        folders={"/opt/kafka/libs": _jars()},
        files={
            "/opt/kafka/bin/kafka-acls.sh": ACLS.replace("{java}", java),
            **{f"/etc/kafka/docker/{name}": "" for name in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml")},
        },
        owned=["/var/lib/kafka/data", "/opt/kafka/config", "/mnt/shared/config", "/etc/kafka/secrets"],
    )
    postgres = Image(
        entrypoint=["bash", "-c", POSTGRES.replace("{binaries}", str(binaries))],
        user=users["postgres"],
        stops_by=signal.SIGINT,
        environment={"PATH": f"{binaries}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        owned=["/var/lib/postgresql/data"],
    )
    caddy = Image(
        entrypoint=[_found("caddy"), "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
        environment={"PATH": "/usr/bin:/bin", "XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data", "HOME": "/tmp"},
        owned=["/config", "/data"],
    )
    return {"apache/kafka": kafka, "postgres": postgres, "caddy": caddy}


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Missing(f"there is no {program}")
    return path


def _postgres() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise Missing("there is no PostgreSQL in /usr/lib/postgresql")
    return found[-1].parent


def _jars() -> Path:
    """The broker's, and Kafka's tools. Raises Missing."""
    if not TOOLS.exists():
        name = f"org.apache.kafka:kafka-tools:{version()}"
        asked = [_found("mvn"), "-q", "dependency:get", f"-Dartifact={name}", "-Dtransitive=false"]
        subprocess.run(asked, timeout=FETCH_SECONDS, check=False, capture_output=True)
    if not TOOLS.exists():
        raise Missing(f"Maven does not fetch {TOOLS.name}")
    return fetch_jars()
