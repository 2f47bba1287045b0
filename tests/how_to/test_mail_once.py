"""`docs/how-to/mail-once.md`: its code sends one mail for one event, wherever the process dies."""

import re
import smtplib
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import modify_settings

from eventbus import backends, clock, registry
from eventbus.progress import group_starts
from eventbus.testing import Crash, published_events
from tests.eventbus.bus_app import House
from tests.how_to import blocks

PAGE = "mail-once.md"
APP, GROUP = "newsletter", "newsletter-mail"
FILES = dict(re.findall(r"^# (\S+\.py)(?:, at the end)?\n(.*)", one, re.DOTALL)[0] for one in blocks(PAGE, "python"))
EVENT = FILES.pop("mcommerce/events.py")
# An event is added to a file that has these lines.
FILES["mcommerce/newsletter/events.py"] = f"from uuid import UUID\n\nfrom eventbus import Event\n\n\n{EVENT}"


def test_who_joins_is_welcomed_once_however_often_they_ask(house: House, newsletter: Any) -> None:
    for email in ("ada@example.com", "Ada@example.com"):
        newsletter.join(email=email, language="fr", now=clock.now())
    house.settle(raise_errors=True)
    house.rewind(GROUP)
    house.settle(raise_errors=True)

    assert [one.to for one in mail.outbox] == [["ada@example.com"]]
    assert len(published_events(newsletter.NewsletterJoined)) == 1
    assert newsletter.Member.objects.get().welcomed_at is not None


def test_a_decision_that_is_rolled_back_sends_nothing(house: House, newsletter: Any) -> None:
    with pytest.raises(TypeError), newsletter.transaction.atomic():
        newsletter.join(email="ada@example.com", language="fr", now=clock.now())
        raise TypeError

    house.settle(raise_errors=True)

    assert (mail.outbox, newsletter.Member.objects.count()) == ([], 0)


@pytest.mark.parametrize(("moment", "sent"), [("before", 0), ("after", 1)])
def test_a_mail_that_a_death_interrupted_is_an_operators_to_decide(
    house: House, newsletter: Any, settings: Any, moment: str, sent: int
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Dies{moment.capitalize()}Sending"
    newsletter.join(email="ada@example.com", language="fr", now=clock.now())
    house.settle()
    house.settle()

    assert len(mail.outbox) == sent
    assert [letter.error_class for letter in house.dead(GROUP)] == ["OutcomeUnknown"]
    assert newsletter.Member.objects.get().welcomed_at is None


def test_a_mail_server_that_hangs_up_in_a_mail_is_not_asked_again(house: House, newsletter: Any, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.HangsUp"
    newsletter.join(email="ada@example.com", language="fr", now=clock.now())
    house.settle()

    assert [letter.error_class for letter in house.dead(GROUP)] == ["Permanent"]


def test_a_mail_server_that_is_away_is_asked_again(
    house: House, newsletter: Any, settings: Any, bus_clock: Any
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.IsAway"
    newsletter.join(email="ada@example.com", language="fr", now=clock.now())
    house.settle()
    assert (mail.outbox, house.dead(GROUP)) == ([], [])

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    bus_clock.advance(hours=1)
    house.settle(raise_errors=True)

    assert len(mail.outbox) == 1


class DiesBeforeSending(EmailBackend):
    def send_messages(self, messages: list[EmailMessage]) -> int:
        raise Crash


class DiesAfterSending(EmailBackend):
    def send_messages(self, messages: list[EmailMessage]) -> int:
        super().send_messages(messages)
        raise Crash


class HangsUp(EmailBackend):
    def send_messages(self, messages: list[EmailMessage]) -> int:
        raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")


class IsAway(EmailBackend):
    def send_messages(self, messages: list[EmailMessage]) -> int:
        raise ConnectionRefusedError("nobody listens")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's app, as a package of its own: its models and its event are declared once in this process."""
    folder = tmp_path_factory.mktemp("page")
    for name, text in FILES.items():
        path = folder / name.removeprefix("mcommerce/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("mcommerce.events", "newsletter.events").replace("mcommerce.newsletter", APP))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder
    del apps.all_models[APP]
    apps.clear_cache()
    # The event stays declared, so its module has to be there for who looks at all events.
    for name in [name for name in sys.modules if name.partition(".")[0] == APP and name != f"{APP}.events"]:
        del sys.modules[name]


@pytest.fixture
def newsletter(house: House, mailoutbox: list[EmailMessage], package: Path) -> Iterator[SimpleNamespace]:
    """The names of the page's app, which is installed, with its table and its group."""
    sys.modules.pop("newsletter.handlers", None)  # the bus imports it with the app, into the registry of this house
    with modify_settings(INSTALLED_APPS={"append": APP}):
        model = import_module("newsletter.models").Member
        with connection.schema_editor() as editor:
            editor.create_model(model)
        parts = [import_module(f"newsletter.{name}") for name in ("models", "events", "services.members", "handlers")]
        group_starts.ensure(backends.current(), registry.groups.values())
        yield SimpleNamespace(**{name: one for part in parts for name, one in vars(part).items()})
        with connection.schema_editor() as editor:
            editor.delete_model(model)
