"""Events of one caller that break their own world for a while: the others' go on, and theirs come in the end."""

from contextlib import ExitStack

import psycopg

from tests.chaos.client_records import Violation
from tests.chaos.faults import Fault, Faults, chosen
from tests.chaos.load_app.planted_mistakes import OTHERS
from tests.chaos.load_app.poison_switch import LOCK, WAYS
from tests.chaos.load_app.publisher import NAMES
from tests.chaos.waiting import until

HURT_SECONDS = 20.0  # for one of the caller's events to come by
# For the others of its partition, by the calm clock: a log that was lost meanwhile is filled again within a minute.
OTHERS_SECONDS = 120.0
GONE_SECONDS = 90.0  # for what was parked or set aside to be handled once the poison is gone, by the calm clock
TRIES_MIN = 2  # of the poisoned event: one may be a fault of another's


def poison(way: str) -> Fault:
    def fault(faults: Faults, draw: float) -> bool:
        name = chosen(NAMES, draw)
        with faults.poison, ExitStack() as held:
            if way == "row held":
                _hold(faults, held)
            try:
                if not _hurts(faults, way, name):
                    return False
                served = _others_go_on(faults, name)
            finally:
                (faults.site.folder / "poison").unlink(missing_ok=True)
        if not served:
            faults.broken.append(Violation(OTHERS, f"{way}: those beside {name} waited for {OTHERS_SECONDS:g} s"))
        if not _comes_in_the_end(faults, name):
            faults.broken.append(Violation(OTHERS, f"{way}: {name} was not handled once it was over"))
        return True

    return fault


def _hold(faults: Faults, held: ExitStack) -> None:
    connection = held.enter_context(psycopg.connect(faults.site.url, autocommit=True))
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])


def _hurts(faults: Faults, way: str, name: str) -> bool:
    """Whether the poison was met a few times."""
    hits = faults.site.folder / "poisoned"
    before = hits.stat().st_size if hits.exists() else 0
    (faults.site.folder / "poison").write_text(f"{way}:{name}")
    return until(lambda: hits.exists() and hits.stat().st_size >= before + TRIES_MIN, HURT_SECONDS)


def _others_go_on(faults: Faults, name: str) -> bool:
    """Whether another caller's new event, of the same partition, is written while the poison lasts."""
    mark = faults.site.number("SELECT max(id) FROM town_told")
    question = """
        SELECT count(*) FROM town_seen AS seen JOIN town_told AS told USING (token)
        WHERE seen."group" = 'writers' AND told.number > 0 AND told.id > %s AND told.name <> %s
        AND told.name IN (SELECT key FROM eventbus_outbox WHERE topic = 'calls' AND partition IN
            (SELECT partition FROM eventbus_outbox WHERE topic = 'calls' AND key = %s))
    """
    return until(lambda: faults.site.number(question, mark, name, name) > 0, OTHERS_SECONDS, faults.calm)


def _comes_in_the_end(faults: Faults, name: str) -> bool:
    """The operator has what was set aside handled again, as the manual says."""

    def over() -> bool:
        letters = "SELECT id FROM eventbus_deadletter WHERE \"group\" = 'writers' AND key = %s AND state = 'open'"
        if dead := faults.site.rows(f"{letters} AND request = ''", name):
            faults.site.manage("eventbus", "requeue", *(str(number) for (number,) in dead))
        parked = "SELECT count(*) FROM eventbus_parkedkey WHERE \"group\" = 'writers' AND key = %s"
        return not faults.site.rows(letters, name) and not faults.site.number(parked, name)

    return until(over, GONE_SECONDS, faults.calm)


KINDS: dict[str, Fault] = {f"poison: {way}": poison(way) for way in WAYS}
