"""Send a notice by mail and by webhook. Neither needs the database or the bus."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from eventbus import ServiceUnavailable, clock
from mcommerce.notices.hysteresis import ENDED
from mcommerce.notices.mail_pause import MailPause
from mcommerce.notices.models import ToldFault
from outside import http
from outside.circuit_breaker import service
from outside.webhooks import SIGNATURE_HEADER, sign

logger = logging.getLogger(__name__)

WEBHOOK_SECONDS = 5.0  # for the whole exchange: the check that waits for it comes again after as long
# For all webhooks of one check. The lease lasts for 30 seconds, and a check that takes longer loses it: then another
# process would post the same notices once more. What is left is posted at the next check.
ROUND_SECONDS = 10.0
ANSWER_BYTES_MAX = 64 * 1024  # nobody reads the answer; a greater one is no answer of a webhook
ID_HEADER = "Mcommerce-Notice"
SUBJECT_CHARACTERS_MAX = 150
WRONG = "refused with status %s"


def notice_id(what: str, fault: ToldFault) -> str:
    """Return the id of a notice. It is the same for each try, so that a receiver can leave out repetitions."""
    told = fault.told_at.isoformat() if fault.told_at else ""
    return hashlib.sha256(f"{what} {fault.id} {told}".encode()).hexdigest()[:32]


def by_mail(due: list[ToldFault], now: datetime) -> None:
    """Send one mail about these faults to the operators, in their language. Raises what the mail backend raises."""
    with override(settings.EVENTBUS_NOTIFY_LANGUAGE):
        subject = _subject(due[0]) if len(due) == 1 else _("%(number)s faults began or ended") % {"number": len(due)}
        text = "\n".join(_text(fault, now) for fault in due)
    line = " ".join(subject.split())[:SUBJECT_CHARACTERS_MAX]
    host = urlsplit(settings.SITE_URL).hostname
    # Of all of them: a mail program hides a second mail with the id of the first.
    told = "".join(sorted(notice_id(fault.mail_due, fault) for fault in due))
    headers = {"Message-ID": f"<{hashlib.sha256(told.encode()).hexdigest()[:32]}@{host}>"}
    get_connection().send_messages([EmailMessage(line, text, to=settings.EVENTBUS_NOTIFY_MAIL, headers=headers)])


def _subject(fault: ToldFault) -> str:
    subject = _("Over: %(title)s") if fault.mail_due == ENDED else _("Fault: %(title)s")
    return subject % {"title": fault.title}


def _text(fault: ToldFault, now: datetime) -> str:
    ended = fault.mail_due == ENDED
    context = {"fault": fault, "ended": ended, "at": now, "site": settings.SITE_URL, "link": _link(fault)}
    return render_to_string("notices/notice.txt", context)


def by_webhook(due: list[ToldFault], now: datetime) -> None:
    """Post the notice of one fault as JSON, signed. Raises NoAnswer, ServiceUnavailable, and WebhookRefused."""
    [fault] = due
    what = fault.webhook_due
    body = _body(what, fault, now)
    url = settings.EVENTBUS_NOTIFY_WEBHOOK
    headers = {
        "Content-Type": "application/json",
        ID_HEADER: notice_id(what, fault),
        SIGNATURE_HEADER: sign(body, secret=settings.EVENTBUS_NOTIFY_SECRET, at=int(now.timestamp())),
    }
    with service("webhook of notices", at=urlsplit(url).netloc).asked():
        answer = http.ask(
            "POST",
            url,
            seconds=WEBHOOK_SECONDS,
            bytes_max=ANSWER_BYTES_MAX,
            secret_url=True,
            data=body,
            headers=headers,
        )
        if answer.status >= 500:
            raise WebhookRefused(WRONG % answer.status)
    if not 200 <= answer.status < 300:  # it answers: the circuit breaker stays closed, and the next try is soon
        raise WebhookRefused(WRONG % answer.status)


def _body(what: str, fault: ToldFault, now: datetime) -> bytes:
    return msgspec.json.encode(
        {
            "id": notice_id(what, fault),
            "type": f"fault.{what}",
            "fault": fault.id,
            "title": fault.title,
            "text": fault.text,
            "since": fault.since,
            "at": now,
            "site": settings.SITE_URL,
            "link": _link(fault),
        }
    )


class WebhookRefused(ServiceUnavailable):
    """The receiver of the notices did not accept one: it is posted again."""


def _link(fault: ToldFault) -> str:
    return settings.SITE_URL + (fault.link or "/eventbus/")


def deliver(faults: Collection[ToldFault], now: datetime, failed: Counter[str], pause: MailPause) -> dict[str, str]:
    """Send what is due: one mail of all, and posts for ROUND_SECONDS. What fails stays due, while the settings name it.

    `failed` counts the posts of a notice that failed. One that failed less often goes first, so that a notice that its
    receiver never accepts holds up no other. No mail is tried while `pause` holds. Return the last error of each way
    that was tried, "" if all was sent.
    """
    outcomes: dict[str, str] = {}
    for fault in faults:
        fault.mail_due = fault.mail_due if settings.EVENTBUS_NOTIFY_MAIL else ""
        fault.webhook_due = fault.webhook_due if settings.EVENTBUS_NOTIFY_WEBHOOK else ""
    mailed = [fault for fault in faults if fault.mail_due]
    if mailed and not pause.holds():
        outcomes["mail"] = _error(by_mail, mailed, now)
        pause.note(outcomes["mail"])
        for fault in mailed:
            fault.mail_due = fault.mail_due if outcomes["mail"] else ""
    until = clock.monotonic() + ROUND_SECONDS
    for fault in sorted((one for one in faults if one.webhook_due), key=lambda one: failed[one.id]):
        if clock.monotonic() >= until:
            break
        error = _error(by_webhook, [fault], now)
        outcomes["webhook"] = error or outcomes.get("webhook", "")
        fault.webhook_due = fault.webhook_due if error else ""
        failed[fault.id] = failed[fault.id] + 1 if error else 0
    return outcomes


def _error(way: Callable[[list[ToldFault], datetime], None], due: list[ToldFault], now: datetime) -> str:
    """Send by one way, and return the error, "" for a success. Pages show it: it has no address and no password."""
    name, names = way.__name__.replace("_", " "), ", ".join(fault.id for fault in due)
    try:
        way(due, now)
    except Exception as error:  # any: the other way may work, and this one is tried again
        logger.warning("A notice was not sent %s (%s): %s", name, names, error)
        return str(error) if isinstance(error, ServiceUnavailable | http.NoAnswer) else type(error).__name__
    logger.info("Operators were told %s of %s", name, names)
    return ""


def note_due(what: str, fault: ToldFault) -> None:
    """Note that a notice is due by each way that the settings name."""
    if settings.EVENTBUS_NOTIFY_MAIL:
        fault.mail_due = what
    if settings.EVENTBUS_NOTIFY_WEBHOOK:
        fault.webhook_due = what
