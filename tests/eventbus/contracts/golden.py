"""Golden payloads: the data of an example of each version of each event, as its first release wrote it."""

from pathlib import Path

import msgspec

FOLDER = Path(__file__).with_name("golden_payloads")


def path_of(wire_type: str) -> Path:
    return FOLDER / f"{wire_type}.json"


def write_missing() -> list[Path]:
    """Write the payloads of versions that have none. Those that are there stay: that is their purpose."""
    from eventbus.schemas.site_events import site_events  # only now: they need Django to be set up
    from tests.reference.samples import sample_of

    FOLDER.mkdir(exist_ok=True)
    written = []
    for name, event_type in site_events().items():
        if not (path := path_of(name)).exists():
            path.write_bytes(msgspec.json.format(msgspec.json.encode(sample_of(event_type)), indent=1) + b"\n")
            written.append(path)
    return written
