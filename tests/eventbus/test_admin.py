"""Staff look at the bus, and decide about what died."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from eventbus import Permanent, clock, publish
from eventbus.database.leases import Lease
from eventbus.failures import circuit_breaker
from eventbus.models import ConsumerGroup, DeadLetter, OperatorAction, ParkedKey
from tests.eventbus.bus_app import House, Noted, open_house

TABLES = (
    *("outboxrow", "timer", "parkedkey", "parkedevent", "deadletter"),
    *("operatoraction", "progress", "consumergroup", "leaserow"),
)


@pytest.fixture
def house(db: None) -> Iterator[House]:
    """One thread is enough here, so each test's transaction is simply undone."""
    with open_house() as house:
        yield house


@pytest.fixture
def poison(house: House) -> set[str]:
    """The vase died at 1, with 2 behind it; the chair went by; one more event waits for its time."""
    names = {"vase", "<b>cup</b>"}

    def handle(event: Noted) -> None:
        if event.name in names:
            raise Permanent("poison <script>alert(1)</script>")

    house.handler(call=handle)
    house.say(("vase", 1), ("<b>cup</b>", 1), ("vase", 2), ("chair", 3))
    with transaction.atomic():
        publish(Noted(name="vase", number=9), due=clock.now() + timedelta(hours=1))
    house.settle()
    return names


def staff(*permissions: str) -> Client:
    person = get_user_model().objects.create_user("ada@example.org", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(person)
    return client


def listed(client: Client, table: str, **asked: str) -> str:
    page = client.get(reverse(f"admin:eventbus_{table}_changelist"), asked)
    assert page.status_code == 200
    return page.content.decode()


def shown(client: Client, row: Any) -> str:
    page = client.get(reverse(f"admin:eventbus_{row._meta.model_name}_change", args=[row.pk]))
    assert page.status_code == 200
    return page.content.decode()


def act(client: Client, action: str, *letters: DeadLetter) -> str:
    """Choose it, and say yes where the desk asks."""
    chosen = {"action": action, "_selected_action": [letter.pk for letter in letters], "confirmed": "1"}
    return client.post(reverse("admin:eventbus_deadletter_changelist"), chosen, follow=True).content.decode()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_staff_see_every_table_and_change_nothing(
    house: House, poison: set[str], admin_client: Client, language: str
) -> None:
    Lease("dispatcher").acquire()
    act(admin_client, "discard", DeadLetter.objects.all()[0])
    admin_client.cookies["django_language"] = language

    for table in TABLES:
        assert "result_list" in listed(admin_client, table)
        assert admin_client.get(reverse(f"admin:eventbus_{table}_add")).status_code == 403


def test_a_payload_is_shown_as_text_and_never_as_a_page(house: House, poison: set[str], admin_client: Client) -> None:
    letter = DeadLetter.objects.get(key="<b>cup</b>")

    page = shown(admin_client, letter)

    assert "&quot;name&quot;: &quot;&lt;b&gt;cup&lt;/b&gt;&quot;" in page
    assert "<b>cup" not in page
    assert "<script>alert" not in page


def test_a_parked_key_shows_who_waits_behind_it(house: House, poison: set[str], admin_client: Client) -> None:
    page = shown(admin_client, ParkedKey.objects.get(key="vase"))

    assert "&quot;number&quot;: 2" in page


def test_the_list_of_a_big_outbox_counts_no_more_than_it_must(
    house: House, poison: set[str], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.admin.model_admin.COUNTED_MAX", 2)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = listed(admin_client, "outboxrow")

    counts = [one["sql"] for one in asked if "COUNT(" in one["sql"] and "eventbus_outbox" in one["sql"]]
    assert counts
    assert all("LIMIT 2" in sql for sql in counts)
    assert "payload" not in "".join(one["sql"] for one in asked if "eventbus_outbox" in one["sql"])
    assert "2 outbox" in page


def test_a_mended_event_is_requeued_from_the_admin(house: House, poison: set[str], admin_client: Client) -> None:
    poison.clear()

    page = act(admin_client, "requeue", DeadLetter.objects.get(key="vase"))
    house.settle()

    assert "Asked to requeue 1 event." in page
    assert house.seen(name="vase") == [1, 2]
    assert OperatorAction.objects.get().action == "requeue"


def test_a_discarded_key_goes_on_and_the_trail_names_who(house: House, poison: set[str]) -> None:
    client = staff("view_deadletter", "operate")

    page = act(client, "discard", *DeadLetter.objects.all())

    assert "Asked to discard 2 events." in page
    assert {action.who for action in OperatorAction.objects.all()} == {"ada@example.org"}
    poison.clear()
    house.settle()
    assert house.seen(name="vase") == [2]


def test_what_is_refused_is_told_and_stops_no_other(house: House, poison: set[str], admin_client: Client) -> None:
    vase, cup = DeadLetter.objects.get(key="vase"), DeadLetter.objects.get(key="<b>cup</b>")
    act(admin_client, "requeue", vase)

    page = act(admin_client, "discard", vase, cup)

    assert "1 was refused" in page
    assert "Asked to discard 1 event." in page
    assert list(DeadLetter.objects.order_by("id").values_list("request", flat=True)) == ["requeue", "discard"]


def test_who_may_only_look_decides_nothing(house: House, poison: set[str]) -> None:
    client = staff("view_deadletter")

    assert "vase" in listed(client, "deadletter")
    act(client, "discard", DeadLetter.objects.get(key="vase"))

    assert not OperatorAction.objects.exists()
    assert not DeadLetter.objects.exclude(request="").exists()


def test_the_desk_speaks_french(house: House, poison: set[str], admin_client: Client) -> None:
    admin_client.cookies["django_language"] = "fr"

    page = act(admin_client, "requeue", DeadLetter.objects.get(key="vase"))

    assert "La reprise de 1 événement est demandée." in page
    assert "lettre morte" in page


def test_every_field_of_the_bus_has_a_name_in_french() -> None:
    fields = [field for table in apps.get_app_config("eventbus").get_models() for field in table._meta.fields]

    with translation.override("fr"):
        english = {field.name for field in fields if str(field.verbose_name) == field.name.replace("_", " ")}

    assert english <= {"id", "partition", "source"}, "they have the same word in French"


def let(client: Client, action: str, *names: str) -> str:
    chosen = {"action": action, "_selected_action": [ConsumerGroup.objects.get(name=name).pk for name in names]}
    return client.post(reverse("admin:eventbus_consumergroup_changelist"), chosen, follow=True).content.decode()


def test_staff_let_a_group_pause_and_go_on(house: House, poison: set[str]) -> None:
    client = staff("view_consumergroup", "operate")

    page = let(client, "pause", "house-a")
    house.say(("lamp", 1))
    house.settle()
    assert "1 group is paused." in page
    assert '<td class="field-state">paused</td>' in page
    assert '<td class="field-paused_by">ada@example.org</td>' in page
    assert house.seen(name="lamp") == []

    page = let(client, "resume", "house-a")
    house.settle()
    assert "1 group goes on." in page
    assert '<td class="field-state">flows</td>' in page
    assert house.seen(name="lamp") == [1]
    assert [(action.who, action.action) for action in OperatorAction.objects.order_by("id")] == [
        ("ada@example.org", "pause"),
        ("ada@example.org", "resume"),
    ]


def test_a_braked_group_shows_why_and_is_released_at_the_desk(
    house: House, poison: set[str], admin_client: Client
) -> None:
    circuit_breaker.trip("house-a", "26 of <b>26</b> failed")

    page = listed(admin_client, "consumergroup")
    assert '<td class="field-state">circuit breaker open</td>' in page
    assert "26 of &lt;b&gt;26&lt;/b&gt; failed" in page

    let(admin_client, "resume", "house-a")
    assert '<td class="field-state">circuit breaker open</td>' not in listed(admin_client, "consumergroup")
