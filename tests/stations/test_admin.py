"""What staff sees: everything the feeds said, and only remarks can be taken away."""

from time import perf_counter

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.urls import reverse

from stations.events import Kind
from stations.feeds.feed_interface import Change
from stations.models import PollPlan, Remark
from stations.services import recording
from stations.services.poll_schedule import plan_of
from tests.stations.readings import BELLECOUR, NOON, STATE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def a_poll_and_a_remark() -> Remark:
    change = Change(BELLECOUR, 1, (Kind.APPEARED,), STATE, NOON)
    poll = recording.Poll(feed="jcdecaux:lyon", asked_at=NOON, began=perf_counter(), fetched=1, changes=[change])
    recording.record_poll(poll=poll, now=NOON)
    plan_of("jcdecaux:lyon", now=NOON)
    return recording.leave_remark(name="Ada", message="Nice map", client="session-1", now=NOON)


@pytest.mark.usefixtures("a_poll_and_a_remark")
@pytest.mark.parametrize("model", ["station", "stationhistory", "pollrun", "pollplan", "remark"])
def test_staff_looks_at_lists_and_cannot_add_to_them(model: str, admin_client):
    listed = admin_client.get(reverse(f"admin:stations_{model}_changelist"))

    assert listed.status_code == 200
    assert admin_client.get(reverse(f"admin:stations_{model}_add")).status_code == 403


@pytest.mark.usefixtures("a_poll_and_a_remark")
def test_what_a_feed_said_cannot_be_deleted(admin_client):
    plan = PollPlan.objects.get()

    assert admin_client.post(reverse("admin:stations_pollplan_delete", args=[plan.pk])).status_code == 403


def test_a_remark_can_be_deleted(admin_client, a_poll_and_a_remark: Remark):
    address = reverse("admin:stations_remark_delete", args=[a_poll_and_a_remark.pk])

    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert not Remark.objects.exists()


@pytest.mark.usefixtures("a_poll_and_a_remark")
@pytest.mark.parametrize(
    ("model", "filters"),
    [
        ("station", {"feed": "jcdecaux:lyon", "status": "OPEN", "contract": "lyon"}),
        ("pollrun", {"feed": "jcdecaux:lyon"}),
    ],
)
def test_lists_are_narrowed_without_asking_the_whole_table_what_it_holds(
    model: str, filters: dict[str, str], admin_client, django_assert_max_num_queries
):
    address = reverse(f"admin:stations_{model}_changelist")

    with django_assert_max_num_queries(20) as asked:
        shown = [admin_client.get(address, {name: value}) for name, value in filters.items()]

    assert all(page.context["cl"].result_count == 1 for page in shown)
    assert not [query["sql"] for query in asked if "DISTINCT" in query["sql"]]
    other = dict.fromkeys(filters, "nobody")
    assert admin_client.get(address, other).context["cl"].result_count == 0


def test_no_history_tells_of_a_deletion_that_failed(
    admin_client, a_poll_and_a_remark: Remark, monkeypatch: pytest.MonkeyPatch
):
    def fail(_ids: object) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(recording, "delete_remarks", fail)
    chosen = {"action": "delete_selected", "_selected_action": [a_poll_and_a_remark.pk], "post": "yes"}

    with pytest.raises(OperationalError):
        admin_client.post(reverse("admin:stations_remark_changelist"), chosen)

    assert not LogEntry.objects.exists()
