"""The libraries of the map are those that the manifest names, each with its licence."""

import pytest

from tests.stations.vendored_files import MANIFEST, SOURCE_MAP, VENDOR, manifest, sha256

FILES = [(name, file) for name, package in manifest().items() for file in package["files"]]


@pytest.mark.parametrize(("name", "file"), FILES, ids=lambda part: part if isinstance(part, str) else part["to"])
def test_each_file_is_the_pinned_one(name: str, file: dict[str, str]) -> None:
    assert sha256((VENDOR / name / file["to"]).read_bytes()) == file["sha256"]


def test_no_other_file_lies_beside_them() -> None:
    found = {path for path in VENDOR.rglob("*") if path.is_file()}

    assert found == {VENDOR / name / file["to"] for name, file in FILES} | {MANIFEST}


@pytest.mark.parametrize("name", manifest())
def test_each_package_has_its_licence_and_version(name: str) -> None:
    package = manifest()[name]

    assert (
        "Copyright" in (VENDOR / name / "LICENSE.txt").read_text()
        or "(c)" in (VENDOR / name / "LICENSE.txt").read_text()
    )
    assert package["licence"] in {"BSD-3-Clause", "ISC", "MIT"}
    assert package["version"].count(".") == 2
    assert package["integrity"].startswith("sha512-")


def test_a_deployed_site_asks_for_no_map_of_the_sources() -> None:
    assert SOURCE_MAP.search(b"code\n//# sourceMappingURL=a.js.map\n")
    for name, file in FILES:
        assert not SOURCE_MAP.search((VENDOR / name / file["to"]).read_bytes()), file["to"]
