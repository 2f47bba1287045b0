"""A disk becomes full and has room again, without what is on it being lost."""

import errno
from collections.abc import Iterator

import pytest

from tests.chaos.disks import Disk, mounted_disk


@pytest.fixture
def disk() -> Iterator[Disk]:
    with mounted_disk() as disk:
        if disk is None:
            pytest.skip("no file system may be mounted here")
        yield disk


def test_a_full_disk_takes_nothing_more_until_there_is_room(disk: Disk) -> None:
    file = disk.path / "file"
    file.write_bytes(b"kept" * 10_000)
    disk.fill()

    with pytest.raises(OSError) as refused:
        (disk.path / "another").write_bytes(b"more" * 10_000)

    assert refused.value.errno == errno.ENOSPC
    assert file.read_bytes() == b"kept" * 10_000
    disk.free()
    (disk.path / "another").write_bytes(b"more" * 10_000)
