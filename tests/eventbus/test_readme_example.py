"""The README's ten lines of the bus do what it says."""

import re
from pathlib import Path

import pytest

from eventbus import backends, registry
from eventbus.progress import group_starts
from tests.eventbus.bus_app import House

README = Path(__file__).resolve().parents[2] / "README.md"
[EXAMPLE] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
DECLARED, TOLD = re.split(r"\n\n(?=with )", EXAMPLE)


def test_what_is_published_is_handled(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(DECLARED, names)  # noqa: S102  # ours
    group_starts.ensure(backends.current(), registry.groups.values())  # as migrate does
    exec(TOLD, names)  # noqa: S102  # ours
    assert capsys.readouterr().out == ""

    house.settle(raise_errors=True)

    assert capsys.readouterr().out == "A cup from the blue pot\n"
