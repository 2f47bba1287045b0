"""The faults: how each is made and repaired, and all that the site may tell about it."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.full_disk import fill
from tests.kafka import Cluster
from tests.overview_faults.site import BACKENDS, WholeSite
from tests.overview_faults.staff import Staff


@dataclass(frozen=True)
class Scene:
    """Whom a fault concerns: the site, somebody of its staff, and the brokers if it has any."""

    site: WholeSite
    staff: Staff
    cluster: Cluster | None


Broken = Callable[[Scene], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A fault while `broken` lasts, and what it is to lead to.

    `title`: how the overview names it. `remedy`: what the text or a page of the remedy says. `consequences`: the titles
    of what follows from it by itself. `alerts`: the one that fires, then those that its consequences may fire.
    """

    broken: Broken
    title: str
    id: str
    remedy: str
    alert: str
    consequences: tuple[str, ...] = ()
    more_alerts: tuple[str, ...] = ()
    backends: tuple[str, ...] = BACKENDS


@contextmanager
def provider_down(scene: Scene) -> Iterator[None]:
    scene.site.kill_one("provider")
    yield
    scene.site.provide()


@contextmanager
def feed_down(scene: Scene) -> Iterator[None]:
    scene.site.kill_one("simulator")
    yield
    scene.site.simulate()


@contextmanager
def webhook_refused(scene: Scene) -> Iterator[None]:
    """The provider signs with another secret than the site knows: somebody has changed it on one side only."""
    scene.site.kill_one("provider")
    scene.site.provide(SANDBOX_WEBHOOK_SECRET="a secret that the site was not given")
    yield
    scene.site.kill_one("provider")
    scene.site.provide()


@contextmanager
def handler_raising(scene: Scene) -> Iterator[None]:
    """A release whose handler fails, and then one that does not."""
    scene.site.raising.write_text("once")
    yield
    scene.site.raising.unlink()


@contextmanager
def poison_events(scene: Scene) -> Iterator[None]:
    """Events that one handler can never handle. Then a release that can, and staff have them handled again."""
    scene.site.raising.write_text("for good")
    yield
    scene.site.raising.unlink()
    scene.site.manage("eventbus", "requeue", "--group", "raising")


@contextmanager
def disk_full(scene: Scene) -> Iterator[None]:
    filler = fill(scene.site.disk)
    yield
    filler.unlink()


def table_locked(table: str) -> Broken:
    @contextmanager
    def locked(scene: Scene) -> Iterator[None]:
        with scene.site.lock(table):
            yield

    return locked


@contextmanager
def broker_stopped(scene: Scene) -> Iterator[None]:
    assert scene.cluster
    [broker] = scene.cluster.brokers
    broker.stop()
    yield
    broker.start()


LOCKED = {"title": "A table is locked", "id": "tables:", "remedy": "pg_terminate_backend", "alert": "TableLocked"}

FAULTS: dict[str, Fault] = {
    "handler raising": Fault(
        handler_raising,
        title=r"Group raising keeps failing|The circuit breaker of group raising is open",
        id="retrying:raising|breaker:raising",
        remedy="a release that cannot read this order",
        alert="HandlerFails|BreakerOpen",
        consequences=("Events could not be handled",),  # after the last attempt
        more_alerts=("DeadLetters",),
    ),
    "poison events": Fault(
        poison_events,
        title="Events could not be handled",
        id="dead-letters:",
        remedy='value="requeue"',
        alert="DeadLetters",
        consequences=(r"The circuit breaker of group raising is open",),
        more_alerts=("BreakerOpen",),
    ),
    "payment provider down": Fault(
        provider_down,
        title="payment provider does not answer this server",
        id="service:payment provider",
        remedy="sandbox_provider|close-service",
        alert="ServiceAway",
    ),
    "feed down": Fault(
        feed_down,
        title="The feed simulator:lund fails",
        id="feed:simulator:lund",
        remedy="manage.py simulate_stations|is it running|Start|Poll",
        alert="FeedDown",
    ),
    "webhook refused": Fault(
        webhook_refused,
        title="Webhooks of sandbox are refused",
        id="webhook:sandbox",
        remedy="SANDBOX_WEBHOOK_SECRET",
        alert="WebhooksRefused",
        consequences=("payment provider does not answer this server",),  # while it starts again with another secret
        more_alerts=("ServiceAway",),
    ),
    "disk full": Fault(disk_full, title="A disk is full", id="disk:", remedy="cannot be written", alert="DiskFull"),
    "table locked": Fault(table_locked("orders_order"), **LOCKED),
    "bus table locked": Fault(
        table_locked("eventbus_outbox"),
        **LOCKED,
        more_alerts=("DatabaseUnreadable",),  # the figures of the bus are not known meanwhile
    ),
    "session table locked": Fault(table_locked("django_session"), **LOCKED),
    "broker stopped": Fault(
        broker_stopped,
        title="The brokers do not answer",
        id="broker:",
        remedy="KAFKA_BOOTSTRAP_SERVERS|start",
        alert="BrokersAway",
        consequences=("Committed events are not sent",),
        more_alerts=("OutboxOld",),
        backends=("kafka",),
    ),
}


def is_named(fault: Fault, title: str) -> bool:
    return re.search(fault.title, title) is not None


def follows(fault: Fault, title: str) -> bool:
    """Whether the title is of the fault itself, or of what follows from it."""
    return is_named(fault, title) or any(re.search(one, title) for one in fault.consequences)
