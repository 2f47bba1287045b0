"""`docs/how-to/mail-once.md`: its code sends one mail for one event, wherever the process dies."""

import smtplib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, models

from eventbus import backends, clock, registry
from eventbus.ids import uuid7
from eventbus.progress import group_starts
from eventbus.testing import Crash, published_events
from tests.eventbus.bus_app import House
from tests.how_to import blocks

EVENTS, SERVICES, HANDLERS, MAIL = blocks("mail-once.md", "python")
IMPORTS = """
from datetime import datetime
from smtplib import SMTPServerDisconnected
from uuid import UUID
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from eventbus import Event, Permanent, clock, effect, publish
"""
GROUP = "newsletter-mail"


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


class Member(models.Model):
    """The table that the page speaks of."""

    id: UUID = models.UUIDField(primary_key=True, default=uuid7)
    email = models.EmailField(unique=True)
    language = models.CharField(max_length=10)
    joined_at = models.DateTimeField()
    welcomed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "how_to"
        managed = False

    def __str__(self) -> str:
        return self.email


@pytest.fixture(scope="module")
def page_module() -> ModuleType:
    """The page's module without its handlers. It stays, as its event stays declared in this process."""
    module = sys.modules["newsletter"] = ModuleType("newsletter")
    module.__dict__["Member"] = Member
    for code in (IMPORTS, EVENTS, SERVICES, MAIL):
        exec(code, module.__dict__)  # noqa: S102  # ours
    return module


@pytest.fixture
def newsletter(house: House, mailoutbox: list[EmailMessage], page_module: ModuleType) -> Iterator[ModuleType]:
    """The page's module, with its table and its group."""
    with connection.schema_editor() as editor:
        editor.create_model(Member)
    exec(HANDLERS, page_module.__dict__)  # noqa: S102  # ours
    group_starts.ensure(backends.current(), registry.groups.values())
    yield page_module
    with connection.schema_editor() as editor:
        editor.delete_model(Member)
