"""An event that an earlier release wrote years ago is read by this one."""

import json

import msgspec
import pytest

from eventbus.declaration.upcasting import readable_types, upcast
from eventbus.events import decode
from eventbus.schemas.site_events import site_events
from tests.eventbus.contracts.golden import FOLDER, path_of

READABLE = {name: one for one in site_events().values() for name in readable_types(one)}


def test_every_version_has_a_payload_and_no_payload_is_of_another() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(READABLE), "write what is missing: make contract"


@pytest.mark.parametrize("name", READABLE)
def test_a_payload_is_read_with_all_its_values(name: str) -> None:
    event_type, payload = READABLE[name], path_of(name).read_bytes()

    read = decode(upcast(payload, name, event_type), event_type)

    assert read.key()
    if name == event_type.wire_type():
        assert json.loads(payload).items() <= json.loads(msgspec.json.encode(read)).items()
