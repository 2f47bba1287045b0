"""An administrator sets a log level on the page of the processes, sees until when, and ends it."""

import pytest
from django.urls import reverse

from eventbus.models import LogLevel
from eventbus.operations.heartbeats import Heartbeat, processes
from tests.mcommerce.overview.test_failures import page_of, staff

SEE, ADMINISTER = "view_processrow", "administer"
LIST = "bus-processes"


@pytest.fixture
def process(db: None) -> str:
    Heartbeat("all").beat()
    [found] = processes()
    return str(found.id)


def test_a_level_is_set_for_a_process_shown_and_ended(process: str) -> None:
    client = staff(SEE, ADMINISTER)
    client.post(reverse("bus-log-level"), {"logger": "stations", "level": "DEBUG", "process": process})
    row = LogLevel.objects.get()
    assert (row.logger, row.level, str(row.process), row.who) == ("stations", "DEBUG", process, "ada@example.org")

    page = page_of(client, reverse(LIST))
    assert "<code>stations</code> DEBUG, all " in page
    assert f"{row.until:%H:%M:%S} UTC" in page
    assert "by ada@example.org" in page

    client.post(reverse("bus-end-log-level", args=[row.pk]))

    assert "<code>stations</code>" not in page_of(client, reverse(LIST))


@pytest.mark.parametrize("logger", ["root", "django"])
def test_a_level_that_would_print_secrets_is_refused_with_the_reason(process: str, logger: str) -> None:
    answer = staff(SEE, ADMINISTER).post(reverse("bus-log-level"), {"logger": logger, "level": "DEBUG"})

    assert f"At DEBUG {logger} may print keys" in answer.content.decode()
    assert not LogLevel.objects.exists()
