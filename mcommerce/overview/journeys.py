"""The page of a journey: one search box, and what became of what it finds, as a timeline."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus.events import KEY_CHARACTERS_MAX, declared_events
from eventbus.journeys.journey import Expected, Finder, Journey, Step, follow
from eventbus.journeys.subjects import Fact, Subject
from eventbus.reports import catalogue
from eventbus.schemas.descriptions import description_of
from mcommerce import staff_permissions
from mcommerce.features.installed import declared
from mcommerce.overview.frame import MAY_SEE_EVENTS, context_of, for_staff

logger = logging.getLogger(__name__)

MAY_SEE_TIMERS = "eventbus.view_timer"
QUESTION = "q"
FACTS_MAX = 200  # of one journey: the newest. As many as its events: a page with more is slow to make and is not read


class Entry(NamedTuple):
    """A row of the timeline: an event (`step`) or a `fact`. `seconds`: since the row before; None for the first.

    `meaning`: what the documents say about the event, in English. `cause_type`: the type of the event that caused it.
    `publishers`: the apps whose code publishes events of this type.
    """

    at: datetime
    seconds: float | None
    step: Step | None = None
    fact: Fact | None = None
    meaning: str = ""
    cause_type: str = ""
    publishers: tuple[str, ...] = ()


class Later(NamedTuple):
    """Something expected and not there yet, with the `meaning` of its event as in an entry."""

    one: Expected
    meaning: str


@require_safe
@for_staff(MAY_SEE_EVENTS)
def journey(request: HttpRequest) -> HttpResponse:
    """Show the journey of what the search box names; without a question, the box and what may be typed into it.

    The template shows contents, and errors that may quote them, only to those who may look into payloads.
    """
    question = request.GET.get(QUESTION, "").strip()[:KEY_CHARACTERS_MAX]
    title = (f"{question} | " if question else "") + _("Event bus: journey")
    context = {**context_of(request, "journey"), "title": title, "question": question}
    if question:
        found = follow(question, [_seen_by(request, find) for find in _finders()])
        context |= {"journey": found, "entries": list(_entries(found)), **_expected(found)}
        if not staff_permissions.may(request.user, MAY_SEE_TIMERS):
            context["timers"] = []
    return render(request, "overview/journey.html", context)


def _finders() -> list[Finder]:
    return [import_string(name) for name in declared("subjects")]


def _seen_by(request: HttpRequest, find: Finder) -> Finder:
    def seen(text: str) -> list[Subject]:
        try:
            return [one for one in find(text) if staff_permissions.may(request.user, one.permission)]
        except Exception:
            logger.exception("%s.%s cannot find its things", find.__module__, getattr(find, "__name__", "?"))
            return []  # the events are shown all the same

    return seen


def _expected(found: Journey) -> dict[str, list[Later]]:
    """Return what groups owe, and the timers: what is published at its time."""
    meaning = _meanings()
    rows = [Later(one, meaning(one.type)) for one in found.expected]
    return {"owed": [row for row in rows if row.one.group], "timers": [row for row in rows if not row.one.group]}


def _entries(found: Journey) -> Iterator[Entry]:
    types = {step.event_id: step.type for step in found.steps}
    meaning, publishers = _meanings(), catalogue.publishers()
    rows: list[tuple[datetime, Step | None, Fact | None]] = [(step.published_at, step, None) for step in found.steps]
    facts = sorted((fact for subject in found.subjects for fact in subject.facts), key=lambda fact: fact.at)
    rows += [(fact.at, None, fact) for fact in facts[-FACTS_MAX:]]
    before: datetime | None = None
    for at, step, fact in sorted(rows, key=lambda row: row[0]):
        seconds = (at - before).total_seconds() if before else None
        if step:
            cause = types.get(step.cause, "") if step.cause else ""
            yield Entry(
                at, seconds, step, None, meaning(step.type), cause, tuple(sorted(publishers.get(step.type, ())))
            )
        else:
            yield Entry(at, seconds, None, fact)
        before = at


def _meanings() -> Callable[[str], str]:
    """Return a function that gives the first paragraph about an event in the documents, by its wire type."""
    classes = {one.wire_type(): one for one in declared_events()}
    return lambda kind: description_of(classes[kind]).partition("\n")[0].replace("`", "") if kind in classes else ""
