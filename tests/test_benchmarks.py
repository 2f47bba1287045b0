"""A benchmark's figures can be believed: compared the right way round, and none of them missing unseen."""

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.__main__ import ROOT, main, verdict
from benchmarks.measure import Goal, Row, side_by_side
from benchmarks.plan import wanted
from eventbus import registry
from eventbus.backends import outbox_offsets
from eventbus.consuming import due_work
from eventbus.database.sql import is_among
from eventbus.failures import parking
from eventbus.progress import groups, inbox


def test_twice_the_rate_and_half_the_time_are_both_twice_as_fast() -> None:
    rates = compared([200.0] * 6, [100.0] * 6, unit="events/s", goal=Goal(ratio_min=2))
    times = compared([5.0] * 6, [10.0] * 6, unit="ms", goal=Goal(ratio_min=2))

    assert (rates.ratio, rates.met) == (2.0, True)
    assert (times.ratio, times.met) == (2.0, True)


def test_a_misspelt_name_measures_nothing_and_leaves_the_last_figures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = tmp_path / "bench.json"
    last.write_text("the last figures")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only=sockets", f"--out={last}"])

    with pytest.raises(SystemExit):
        main()

    assert "No figure's name begins with 'sockets'" in capsys.readouterr().err
    assert last.read_text() == "the last figures"


def test_a_missing_row_fails_the_run_and_an_unmet_goal_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    rows = unmet(firm=False)

    assert verdict(rows, only="", strict=False) == 0
    assert verdict(rows, only="", strict=True) == 1
    assert verdict(rows[1:], only="", strict=False) == 1
    assert "missing: " in capsys.readouterr().err


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_the_hand_runs_a_workers_statements_text_for_text(vendor: str) -> None:
    database: Any = SimpleNamespace(vendor=vendor)
    of_a_worker = {
        "WAITS": due_work._WAITING,
        "READ": outbox_offsets._READ,
        "HOLD": groups._hold(vendor, groups.STOPPED, registry.HANDLER_SECONDS),
        "KNOWN": inbox._KNOWN.format(among=is_among(database, "event_id")),
        "PARKED": parking._WAITING.format(among=is_among(database, "key", "text")),
        "NOTE": inbox._NOTE.format(events=inbox._EVENTS[vendor]),
        "SAVE": groups._SAVE,
    }

    assert unspaced(statements_of_the_hand(vendor)) == unspaced(of_a_worker)


def unspaced(statements: dict[str, str]) -> dict[str, str]:
    return {name: "".join(text.split()) for name, text in statements.items()}


def statements_of_the_hand(vendor: str) -> dict[str, str]:
    """Read, not imported: the module comes with a model that belongs to the benchmarks' own database."""
    source = ast.parse((ROOT / "benchmarks" / "twins" / "handling.py").read_text())
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id != "BOOK"
    }
    texts = {name: found[name] for name in ("WAITS", "READ", "HOLD", "KNOWN", "PARKED", "SAVE")}
    return {name: text.format(**found["DIALECTS"][vendor]) for name, text in texts.items()} | {
        "NOTE": found["NOTE"][vendor]
    }


def unmet(*, firm: bool) -> list[dict[str, object]]:
    """Every row, measured and far too slow."""
    same = {"met": False, "firm": firm, "goal": "<= 1"}
    return [{"name": name, "database": base, **same} for name, base in sorted(wanted(""))]


PLACE = {"backend": "memory", "database": "sqlite"}


def compared(ours: list[float], peer: list[float], *, unit: str, goal: Goal | None = None, rounds: int = 5) -> Row:
    mine, theirs = iter(ours), iter(peer)
    return side_by_side(
        "a",
        lambda: next(mine),
        unit=unit,
        beside="b",
        peer=lambda: next(theirs),
        goal=goal or Goal(),
        rounds=rounds,
        **PLACE,
    )
