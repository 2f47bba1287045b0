"""A developer writes a wrong option or field, and mypy tells before anything runs."""

import re
import subprocess
import sys
from pathlib import Path

from tests.test_settings import ROOT

DECLARED = """from uuid import UUID

from eventbus import Event, effect, handles


class PointsGranted(Event, name="points.granted", topic="loyalty", key="order_id"):
    order_id: UUID
    points: int = 0


@handles(PointsGranted, group="loyalty", start="earliest", on_dead="skip")
def grant_points(event: PointsGranted) -> None: ...


@effect(PointsGranted, group="loyalty-mail", on_unknown_outcome="never")
def mail_points(event: PointsGranted, *, idempotency_key: str) -> None: ...


granted = PointsGranted(order_id=UUID(int=1))
grant_points(granted)
"""
WRONG = {
    'handles(PointsGranted, group="loyalty", on_dead="stop")': "expected \"Literal['park', 'skip']\"",
    'handles(PointsGranted, group="loyalty", start="first")': "expected \"Literal['latest', 'earliest']\"",
    'handles(PointsGranted, group="loyalty", record=print)': 'Unexpected keyword argument "record"',
    'effect(PointsGranted, group="post")': 'Missing named argument "on_unknown_outcome"',
    'effect(PointsGranted, group="post", on_unknown_outcome="maybe")': "expected \"Literal['retry', 'never']\"",
    'PointsGranted(order_id="7")': 'expected "UUID"',
    "PointsGranted(UUID(int=1))": "Too many positional arguments",
    "PointsGranted()": 'Missing named argument "order_id"',
    "granted.points = 3": "read-only",
    'grant_points("7")': 'expected "PointsGranted"',
}


def test_mypy_tells_of_each_wrong_option_and_field_and_of_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "loyalty.py"
    path.write_text(DECLARED + "\n".join(WRONG) + "\n")

    said = subprocess.run(
        [sys.executable, "-m", "mypy", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout

    first = DECLARED.count("\n") + 1
    told = {int(number): text for number, text in re.findall(r"loyalty\.py:(\d+): error: (.*)", said)}
    assert told.keys() == set(range(first, first + len(WRONG))), said
    assert [text for number, text in enumerate(WRONG.values(), first) if text not in told[number]] == []
