"""The quarantine: reasons to keep a readable row apart from the stations for riders. Staff may decide otherwise."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import structs

from stations.feeds.feed_interface import Fetched, Reading, State
from stations.feeds.texts import gettext_noop as _


class Hold(StrEnum):
    """A reason to hold a station. Pages show the translation of these words."""

    TEST_BENCH = _("a test bench or a workshop by its name")
    NOWHERE = _("at latitude 0 and longitude 0")
    FAR_AWAY = _("far from its city")
    DEAD = _("of a service that has ended")
    BY_HAND = _("held by staff")


DEAD_DAYS = 30  # without a report of any station, while none is open: a winter break is announced, this is not
SMALL_CAPACITY_MAX = 5  # stands; the smallest station that riders use has 6 in the recorded world

# Words that name no place where people live, without accents: a test of the operator's, or a workshop.
_ALWAYS = re.compile(
    r"\b(test(s|ing|stasjon|station|bench|stand|e|er)?|testy|prueba(s)?|prova(s)?|teste|essai(s)?|banc d'essai|platine"
    r"|borne (\w+ )?atelier|do not use|ne pas utiliser|no usar|out of service|dummy|fake|ficti(f|ve)|sandbox)\b"
    r"|テスト|試験|테스트|测试|測試"
)
# Words that streets have too: they count on a row that is small, or not open.
_OFTEN = re.compile(
    r"\b(atelier|taller|workshop|werkstatt|werkplaats|officina|verksted|verkstad|verksted|pajama|dielna|warsztat|dilna"
    r"|depot|deposito|entrepot|magasin|almacen|warehouse|lager|lab|labo|laboratoire|laboratorio|demo|training"
    r"|formation|maintenance|garage)\b"
)


def hold_of(state: State) -> str:
    """Return the reason to hold a station by its own row, or "" for none."""
    name = _bare(state.name)
    is_small = state.capacity <= SMALL_CAPACITY_MAX or state.status != "OPEN"
    if _ALWAYS.search(name) or (is_small and _OFTEN.search(name)):
        return Hold.TEST_BENCH.value
    return Hold.NOWHERE.value if state.lat == 0 and state.lng == 0 else ""


def held(reading: Reading, reason: str) -> Reading:
    return structs.replace(reading, state=structs.replace(reading.state, held=reason))


def set_apart(fetched: Fetched, asked_at: datetime, rulings: Mapping[str, bool]) -> None:
    """Hold the stations of dead contracts, and then what staff decided."""
    hold_dead(fetched, asked_at)
    apply_rulings(fetched, rulings)


def hold_dead(fetched: Fetched, asked_at: datetime) -> None:
    """Hold all stations of each contract where none is open and none has reported for DEAD_DAYS."""
    now = min(fetched.updated_at or asked_at, asked_at)
    contracts: dict[str, list[Reading]] = {}
    for reading in fetched.readings:
        contracts.setdefault(reading.state.contract, []).append(reading)
    dead = {contract for contract, readings in contracts.items() if _is_dead(readings, now)}
    if dead:
        fetched.readings = [
            held(one, one.state.held or Hold.DEAD.value) if one.state.contract in dead else one
            for one in fetched.readings
        ]


def apply_rulings(fetched: Fetched, rulings: Mapping[str, bool]) -> None:
    """Hold or release what staff decided, by station id: True is held, False is released."""
    if not rulings:
        return
    fetched.readings = [_ruled(one, rulings.get(one.key.station_id)) for one in fetched.readings]


def ruled(reason: str, ruling: bool | None) -> str:
    """Return the reason that remains after a decision by hand; None is no decision."""
    if ruling is None:
        return reason
    return (reason or Hold.BY_HAND.value) if ruling else ""


def _ruled(reading: Reading, ruling: bool | None) -> Reading:
    reason = ruled(reading.state.held, ruling)
    return reading if reason == reading.state.held else held(reading, reason)


def _is_dead(readings: Iterable[Reading], now: datetime) -> bool:
    reported = [one.reported_at for one in readings if one.reported_at is not None]
    is_open = any(one.state.status == "OPEN" for one in readings)
    return bool(reported) and not is_open and max(reported) < now - timedelta(days=DEAD_DAYS)


def _bare(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name.casefold().replace("_", " "))
    return "".join(letter for letter in apart if not unicodedata.category(letter).startswith("M")).replace("’", "'")
