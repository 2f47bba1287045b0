"""What a restore of the database forgot is given up, and nothing else is."""

from pathlib import Path

import pytest

from tests.chaos.client_records import Violation
from tests.chaos.restored_events import GHOSTS, Forgotten
from tests.chaos.shop.mail_log import LETTERS
from tests.chaos.shop.restored_orders import Forgotten as OfTheShop
from tests.chaos.shop.restored_orders import Known
from tests.chaos.shop.roles import SHOPPERS


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def forgotten(tmp_path: Path, calls: Path) -> Forgotten:
    """Told before the backup: `old`. After it began: `kept` and `gone`. Asked for: `gone`, and `unheard`, of nobody."""
    publisher = tmp_path / "publisher"
    publisher.write_text("ack old\n")
    forgotten = Forgotten([publisher], calls)
    known = forgotten.known()
    publisher.write_text("ack old\nack kept gone\n")
    calls.write_text("old key-1\ngone key-2\nunheard key-3\n")
    forgotten.note(known, forgotten.known(), {"kept"})
    return forgotten


def test_only_what_was_acknowledged_after_the_backup_may_be_gone(forgotten: Forgotten) -> None:
    assert forgotten.acknowledged == {"gone"}


def test_a_provider_may_know_what_the_database_has_forgotten(forgotten: Forgotten) -> None:
    assert {"gone", "unheard"} <= forgotten.asked()
    assert forgotten.heard_again(set()) == []


def test_whoever_hears_of_it_after_the_restore_is_told(forgotten: Forgotten, calls: Path) -> None:
    with calls.open("a") as file:
        file.write("unheard key-3\n")

    assert forgotten.heard_again({"gone", "kept"}) == [
        Violation(GHOSTS, "seen after the restore: gone"),
        Violation(GHOSTS, "asked for after the restore: unheard"),
    ]


def test_of_the_shop_only_what_happened_after_the_backup_may_be_gone(tmp_path: Path) -> None:
    diary, letters = tmp_path / SHOPPERS, tmp_path / LETTERS
    diary.write_text("ordered old\npaid old\n")
    letters.write_text("paid M-1\n")
    before = Known.now(tmp_path)
    diary.write_text("ordered old\npaid old\nordered gone\nordered kept\ncancelled kept\n")
    letters.write_text("paid M-1\ncancelled M-2\n")
    forgotten = OfTheShop()

    forgotten.note(before, Known.now(tmp_path), {"old", "kept"})

    assert (forgotten.orders, forgotten.ended) == ({"gone"}, {"kept"})
    assert forgotten.letters == {("cancelled", "M-2"): 1}
    assert forgotten.touched == {"old", "kept", "gone"}
