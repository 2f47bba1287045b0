"""Collect the faults of the whole site: of the bus, of this server's readiness, of the providers and the feeds."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from eventbus import clock
from eventbus.operations import status
from eventbus.operations.problem import Problem
from eventbus.operations.status import RELAYING_ROLES, Status
from mcommerce import readiness
from mcommerce.features.installed import declared
from mcommerce.readiness.impatience import is_lock, readable
from mcommerce.readiness.table_locks import held, sentence
from outside.circuit_breaker import states

logger = logging.getLogger(__name__)

# By the kind of a problem: its title, and the admin's list that shows it and has its remedy.
KINDS: dict[str, tuple[str | Promise, str]] = {
    "relay": (gettext_lazy("No process relays events"), "processrow"),
    "restore": (gettext_lazy("The database went back to an earlier time"), "divergence"),
    "log": (gettext_lazy("The log has lost records, or is not as it should be"), "progress"),
    "broker": (gettext_lazy("The brokers do not answer"), "processrow"),
    "outbox": (gettext_lazy("Committed events are not sent"), "outboxrow"),
    "rejected": (gettext_lazy("The log has rejected events"), "outboxrow"),
    "breaker": (gettext_lazy("The circuit breaker of group %(about)s is open"), "consumergroup"),
    "standing": (gettext_lazy("Group %(about)s stands still"), "progress"),
    "timers": (gettext_lazy("Delayed events are overdue"), "timer"),
    "lag": (gettext_lazy("Group %(about)s is behind"), "progress"),
    "unhandled": (gettext_lazy("No process handles group %(about)s"), "processrow"),
    "ignored-types": (gettext_lazy("A release did not know a type of event"), "ignoredtype"),
    "retrying": (gettext_lazy("Group %(about)s keeps failing"), "parkedkey"),
    "dead-letters": (gettext_lazy("Events could not be handled"), "deadletter"),
    "replay": (gettext_lazy("A replay of group %(about)s has failed, or is stuck"), "replayrun"),
    "feature": (gettext_lazy("A part of the site cannot tell its faults"), "processrow"),
    "untrusted": (gettext_lazy("Records of others were set aside"), "untrustedrecord"),
}
PARTS = {
    "database": gettext_lazy("The database has a fault"),
    "tables": gettext_lazy("A table is locked"),
    "disk": gettext_lazy("A disk is full"),
    "broker": gettext_lazy("The brokers do not answer"),
    "outbox": gettext_lazy("Committed events are not sent"),
    "restore": gettext_lazy("The database went back to an earlier time"),
    "background": gettext_lazy("A thread of this server has ended"),
    "checks": gettext_lazy("This server’s checks have stopped"),
    "leaving": gettext_lazy("This server is stopping"),
}
PAGES = {"breaker": "bus-breakers", "dead-letters": "bus-failures"}  # kinds that have a page of their own
PAGES_OF_ROWS = {"replay": "bus-replay"}  # kinds whose rows each have one
LISTS_BY_GROUP = ("deadletter", "ignoredtype", "parkedkey", "progress", "untrustedrecord")
OF_FEEDS = "service:feed "  # how the ids of the services begin that are feeds of stations
HEALTHY = "closed"  # the state of a circuit breaker that lets calls through


class Fault(NamedTuple):
    """A fault for a page: a title in the reader's language, and the text of the part that found it.

    `since`: when it began, None if nobody knows. `link`: the path of the page that shows it, "" if there is none.
    `id`: the same for this fault at each check and in each language, such as "lag:orders".
    """

    title: str
    text: str
    since: datetime | None = None
    link: str = ""
    id: str = ""


def faults(found: Status) -> list[Fault]:
    """Return every fault of the site, the oldest first. `found`: the status of the bus.

    Raises a database error if a table of a feature is locked: its faults are not known then.
    """
    return _sorted(found, [problem for name in declared("problems") for problem in _of_feature(name)], {})


def faults_despite_locks(found: Status | None) -> list[Fault]:
    """Return the faults that can be read while tables are locked, and the lock. `found`: None if a lock hides it."""
    asked = [readable(partial(_of_feature, name)) for name in declared("problems")]
    told = [problem for problems in asked for problem in problems or ()]
    hidden = found is None or None in asked
    return _sorted(found, told, {one.id: one for one in of_locks()} if hidden else {})


def _sorted(found: Status | None, of_features: list[Problem], of_locks: Mapping[str, Fault]) -> list[Fault]:
    problems = [*(_of_bus(found) if found else []), *of_features]
    of_server = {**of_locks, **{fault.id: fault for fault in _of_server()}}
    told = [_with_since(fault, of_server) for fault in _apart(map(_of_part, problems))]
    titles = {fault.title for fault in told}
    told += [fault for fault in of_server.values() if fault.title not in titles]  # the bus may have found the same
    told += (fault for fault in _of_services() if not fault.id.startswith(OF_FEEDS))  # the stations tell theirs
    now = clock.now()
    return sorted(told, key=lambda fault: (fault.since is None, fault.since or now, fault.title))


def faults_without_database() -> list[Fault]:
    """Return the faults that this process knows of by itself: its readiness, and the services that it calls."""
    return [*_of_server(), *_of_services()]


def of_locks() -> list[Fault]:
    """Return the fault of the tables that are locked at this moment; none on SQLite, whose checks name its one lock."""
    text, since = sentence(held()), readiness.since("tables") or clock.now()
    return [Fault(str(PARTS["tables"]), text, since, id="tables:")] if text else []


def _of_bus(found: Status) -> list[Problem]:
    relayed = any(one.role in RELAYING_ROLES and not one.silent for one in found.processes)
    return status.problems(found, dispatches=relayed)


def _apart(told: Iterable[Fault]) -> Iterator[Fault]:
    """Number the faults that share an id: each begins and ends by itself."""
    seen = Counter[str]()
    for one in told:
        seen[one.id] += 1
        yield one if seen[one.id] == 1 else one._replace(id=f"{one.id}/{seen[one.id]}")


def _with_since(fault: Fault, of_server: Mapping[str, Fault]) -> Fault:
    """Return a fault of the bus, with the time at which this server found it if the bus knows none."""
    same = of_server.get(fault.id)
    return fault._replace(since=same.since) if same and fault.since is None else fault


def _of_feature(name: str) -> list[Problem]:
    """Return a feature's own problems. If it cannot tell them, that is the problem, and the page shows the others.

    Raises a database error if a lock keeps it from telling them: the lock is the fault, and not the feature.
    """
    try:
        return list(import_string(name)())
    except Exception as error:
        if is_lock(error):
            raise
        logger.exception("%s cannot tell the faults of its feature", name)
        text = f"{name} cannot tell the faults of its feature: {type(error).__name__}. See the log of this server."
        return [Problem(text, kind="feature", about=name)]


def _of_part(problem: Problem) -> Fault:
    if problem.heading:
        link = reverse(problem.page) if problem.page else ""
        return Fault(problem.heading, problem, problem.since, link, _id(problem))
    title, model = KINDS[problem.kind]
    return Fault(str(title) % {"about": problem.about}, problem, problem.since, _link(problem, model), _id(problem))


def _link(problem: Problem, model: str) -> str:
    if problem.kind in PAGES_OF_ROWS:
        return reverse(PAGES_OF_ROWS[problem.kind], args=[problem.row])
    if problem.kind in PAGES:
        return reverse(PAGES[problem.kind])
    link = reverse(f"admin:eventbus_{model}_changelist")
    return f"{link}?{urlencode({'group': problem.about})}" if problem.about and model in LISTS_BY_GROUP else link


def _id(problem: Problem) -> str:
    return f"{problem.kind}:{problem.about}"


def _of_server() -> Iterator[Fault]:
    for part, text in readiness.found().items():
        if text != readiness.OK:
            # A part that the bus looks at too has the same id there: "broker:", "outbox:" and "restore:".
            yield Fault(str(PARTS.get(part, part)), text, readiness.since(part), id=f"{part}:")


def _of_services() -> Iterator[Fault]:
    for name, state in states().items():
        if state != HEALTHY:
            text = f"The circuit breaker is {state}: calls fail at once, and a later one tries whether it answers."
            title, link = _("%(name)s does not answer this server") % {"name": name}, reverse("bus-breakers")
            yield Fault(title, text, link=link, id=f"service:{name}")
