"""The files of other projects that the map needs: fetched from npm as pinned, and committed with their licences.

`make vendor` fetches them again. `vendor/manifest.json` pins version, checksum of the package, and of each file. With
`--pin` the checksums of new versions are written there: look at what changed before you commit it.
"""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

VENDOR = Path(__file__).resolve().parents[2] / "stations/static/stations/vendor"
MANIFEST = VENDOR / "manifest.json"
SOURCE_MAP = re.compile(rb"\n?/[/*]# sourceMappingURL=[^\n]*\n?\s*\Z")  # the maps are not shipped: 10 MB


def manifest() -> dict[str, dict[str, Any]]:
    return json.loads(MANIFEST.read_text())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetch(*, pin: bool) -> None:
    """Write the files of every package. Refuse one that differs from its checksum, unless `pin`."""
    packages = manifest()
    for name, package in packages.items():
        archive = _packed(f"{package['npm']}@{package['version']}")
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
        _compare(f"{name} {package['version']}", package, "integrity", integrity, pin=pin)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            for file in package["files"]:
                if "from" in file:
                    _write(name, file, files, pin=pin)
                else:  # a licence that its package names, but does not hold
                    _compare(file["to"], file, "sha256", sha256((VENDOR / name / file["to"]).read_bytes()), pin=pin)
    MANIFEST.write_text(json.dumps(packages, indent=2) + "\n")


def _packed(package: str) -> bytes:
    with TemporaryDirectory() as folder:
        command = ["npm", "pack", package, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        return next(Path(folder).glob("*.tgz")).read_bytes()


def _write(name: str, file: dict[str, str], files: tarfile.TarFile, *, pin: bool) -> None:
    member = files.extractfile(f"package/{file['from']}")
    assert member is not None, f"{name} has no file {file['from']}"
    content = SOURCE_MAP.sub(b"\n", member.read())
    _compare(file["from"], file, "sha256", sha256(content), pin=pin)
    path = VENDOR / name / file["to"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _compare(told: str, holder: dict[str, str], key: str, found: str, *, pin: bool) -> None:
    if pin:
        holder[key] = found
    elif holder.get(key) != found:
        raise SystemExit(f"{told} is not what vendor/manifest.json pins: {found} instead of {holder.get(key)}")


if __name__ == "__main__":
    fetch(pin="--pin" in sys.argv[1:])
