"""`manage.py eventbus schema`: what a developer of another program asks of it."""

import json
from pathlib import Path

from tests.eventbus.test_commands import run

PLACED = "order.placed.v1"


def test_without_a_type_it_lists_all_with_topic_and_key() -> None:
    code, said, _ = run("eventbus", "schema")
    told = json.loads(run("eventbus", "schema", "--json")[1])

    rows = [line.split() for line in said.splitlines()]
    assert code == 0
    assert rows[0] == ["type", "topic", "key"]
    assert [PLACED, "orders", "order_id"] in rows
    assert ["station.changed.v1", "stations", "feed:station_id"] in rows
    assert [list(row.values()) for row in told] == rows[1:]


def test_a_type_gives_one_schema_and_several_give_a_list() -> None:
    one = json.loads(run("eventbus", "schema", PLACED)[1])
    both = json.loads(run("eventbus", "schema", PLACED, "order.paid.v1")[1])

    assert one["title"] == PLACED
    assert one["properties"]["expires_at"]["format"] == "date-time"
    assert [both[0], both[1]["title"]] == [one, "order.paid.v1"]


def test_all_gives_every_type() -> None:
    listed = json.loads(run("eventbus", "schema", "--json")[1])

    assert [one["title"] for one in json.loads(run("eventbus", "schema", "--all")[1])] == [
        row["type"] for row in listed
    ]


def test_an_unknown_type_is_refused_with_the_nearest_names() -> None:
    code, said, complaint = run("eventbus", "schema", "order.place", PLACED)

    assert (code, said) == (2, "")
    assert complaint.startswith("No such type: order.place. Nearest: ")
    assert PLACED in complaint and complaint.endswith("See manage.py eventbus schema.")
    assert "Nearest" not in run("eventbus", "schema", "xyz")[2]


def test_a_folder_gets_a_file_for_each_type(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "schemas"

    code, said, _ = run("eventbus", "schema", "--output", str(folder))

    listed = {row["type"] for row in json.loads(run("eventbus", "schema", "--json")[1])}
    assert (code, said) == (0, f"{len(listed)} schemas are in {folder}.\n")
    assert {path.name for path in folder.iterdir()} == {f"{one}.json" for one in listed}
    assert json.loads((folder / f"{PLACED}.json").read_text()) == json.loads(run("eventbus", "schema", PLACED)[1])
