"""The rows of the pages on which staff act on failures, and the letters and runs that they are tried with."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils import timezone

from eventbus import registry
from eventbus.ids import uuid7
from eventbus.models import BulkRun, ConsumerGroup, DeadLetter, LogLevel, OutboxRow, Progress, ReplayRun
from eventbus.selections import bulk_runs
from mcommerce.accounts.models import User
from mcommerce.overview.repairs.replays import replayable_topics
from tests.permissions.access_needs import NO_METHOD, Form, Route, permission

ADMINISTER = permission("eventbus.view_processrow") & permission("eventbus.administer")
LOOK, OPERATE = permission("eventbus.view_progress"), permission("eventbus.operate")
LEVEL = 1_000_000  # the id of a log level
CAUSE = "0123456789abcdef" * 2


def select(client: Client) -> Form:
    """The choice of what the page showed."""
    return {"action": "discard", "shown": str(DeadLetter.objects.get(cause=CAUSE).pk)}


def begin(client: Client) -> Form:
    """A yes of the visitor who chose the letters."""
    me = User.objects.filter(pk=client.session.get("_auth_user_id")).first()
    BulkRun.objects.update(who=me.get_username() if me else "nobody", action="requeue", state="frozen")
    return {}


def undo(client: Client) -> Form:
    """An undo, of a discard that a worker has carried out."""
    BulkRun.objects.update(action="discard", state="done", decision=7, ended_at=timezone.now())
    DeadLetter.objects.update(state="discarded", decision=7, discarded_at=timezone.now())
    return {}


def close(client: Client) -> Form:
    """The name of a group whose circuit breaker is open."""
    group = ConsumerGroup.objects.order_by("name")[0]
    ConsumerGroup.objects.filter(pk=group.pk).update(breaker_opened_at=timezone.now())
    return {"group": group.name}


def _projection() -> str:
    """A group whose handlers may handle an event again."""
    return next(name for name, group in sorted(registry.groups.items()) if replayable_topics(group))


def choose(client: Client) -> Form:
    """The choice of an event that a projection has handled."""
    group = registry.groups[_projection()]
    [topic, *_others] = replayable_topics(group)
    progress, _new = Progress.objects.get_or_create(group=group.name, topic=topic, partition=0)
    type_ = next(name for name, handlers in group.handlers.items() if handlers[0].event_type.topic == topic)
    about = {"type": type_, "key": "x", "payload": b"{}", "headers": "", "created_at": timezone.now()}
    last = OutboxRow.objects.filter(topic=topic, partition=0).count()
    OutboxRow.objects.create(**about, event_id=uuid7(), topic=topic, partition=0, offset=last)
    Progress.objects.filter(pk=progress.pk).update(offset=last + 1)
    return {"offset": "0", "partitions": [f"{topic}/0"]}


def choose_skip(client: Client) -> Form:
    """The choice of an event that waits for a group."""
    [partition] = choose(client)["partitions"]
    Progress.objects.update(offset=0)
    return {"offset": "1000", "partitions": [partition]}


def stop(client: Client) -> Form:
    """Nothing more than a replay that runs."""
    ReplayRun.objects.update(state="running")
    return {}


def level(client: Client) -> Form:
    """Nothing more than a log level that has not ended."""
    LogLevel.objects.update_or_create(pk=LEVEL, defaults=_level())
    return {}


def _level() -> dict[str, Any]:
    return {"logger": "eventbus", "level": "INFO", "who": "x", "until": timezone.now() + timedelta(minutes=5)}


ROUTES: dict[str, Route] = {
    "bus-failures": Route(get=LOOK, parts=("?part=state",)),
    "bus-failure": Route(get=LOOK),
    "bus-select": Route(get=NO_METHOD, post=OPERATE, data=select),
    "bus-run": Route(get=LOOK, parts=("?part=state",)),
    "bus-begin-run": Route(get=NO_METHOD, post=OPERATE, data=begin),
    "bus-undo-run": Route(get=NO_METHOD, post=OPERATE, data=undo),
    "bus-export": Route(get=OPERATE),
    "bus-choose-replay": Route(get=OPERATE, post=OPERATE, data=choose),
    "bus-choose-skip": Route(get=OPERATE, post=OPERATE, data=choose_skip),
    "bus-replay": Route(get=LOOK, parts=("?part=state",)),
    "bus-operate-replay": Route(get=NO_METHOD, post=OPERATE, data=stop),
    "bus-log-level": Route(get=ADMINISTER, post=ADMINISTER, data={"logger": "eventbus", "level": "DEBUG"}),
    "bus-end-log-level": Route(get=NO_METHOD, post=ADMINISTER, data=level),
    "bus-actions": Route(get=LOOK),
    "bus-breakers": Route(get=LOOK, parts=("?part=state",)),
    "bus-close-breaker": Route(get=NO_METHOD, post=OPERATE, data=close),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """A cause with one letter, and the run that exports it; `data` makes another run of it where that is needed."""
    letter = DeadLetter.objects.filter(cause=CAUSE).first() or DeadLetter.objects.create(
        **dict.fromkeys(("group", "topic", "type", "key", "headers", "error_class", "handler"), "x"),
        **{"cause": CAUSE, "event_id": uuid7(), "payload": b"{}", "died_at": timezone.now()},
        **{"partition": 0, "offset": 0, "parks": False, "attempts": 8},
    )
    run, _new = BulkRun.objects.get_or_create(
        cause=CAUSE,
        defaults={
            **{"action": "export", "state": "done", "who": "x", "shown_at": timezone.now(), "total": 1},
            **{"group": "x", "type": "x", "error_class": "x", "ids": str(letter.pk)},
        },
    )
    assert bulk_runs.letter_ids(run) == [letter.pk]
    replay, _new = ReplayRun.objects.get_or_create(
        group="x", defaults={"who": "x", "began_at": timezone.now(), "state": "running"}
    )
    return {
        "cause": CAUSE,
        "run": run.pk,
        "replay": replay.pk,
        "step": "stop",
        "projection": _projection(),
        "log_level": LEVEL,
    }
