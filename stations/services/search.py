"""The search of stations by typed words: "metro" finds "MÉTRO"; numbers, streets and cities find their stations too.

Names are folded (case and accents removed) once, when a station is written. Queries are folded the same way, so every
database compares plain letters. static/stations/text_folding.js does the same in the browser.
"""

import unicodedata
from collections.abc import Mapping

from django.db.models import Q, QuerySet

from stations.models import Station

QUERY_LENGTH_MAX = 100  # characters used of a query; the longest name has 48
WORDS_MAX = 8  # of a query, each a condition of its own

# Letters that Unicode does not decompose, as people without these keys write them.
_SPELT = str.maketrans(
    {"\ufeff": " "}  # a space in the browser
    | {chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)}  # katakana: each has its hiragana
    | {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th"}
    | {"ς": "σ", "’": "'"}
)


def fold(text: str) -> str:
    """Return the text in small letters without accents, katakana as hiragana, with one space between words."""
    apart = unicodedata.normalize("NFKD", text.replace("\0", " ").lower()).lower()
    bare = "".join(letter for letter in apart if not unicodedata.category(letter).startswith("M"))
    return " ".join(bare.translate(_SPELT).split())


def folded(*, called: int | str, name: str, address: str) -> str:
    """Return the search text of a station. `called` is its number, or its id if it has none."""
    return fold(f"{called} {name} {address}")


def found(stations: QuerySet[Station], query: str, *, cities: Mapping[str, str] | None = None) -> QuerySet[Station]:
    """Return the stations that hold every word of the query, in any order.

    `cities` are names of cities by contract: a word may also be in the name of the station's city.
    """
    names = {contract: fold(name) for contract, name in (cities or {}).items()}
    for word in fold(query[:QUERY_LENGTH_MAX]).split()[:WORDS_MAX]:
        there = [contract for contract, name in names.items() if word in name]
        stations = stations.filter(Q(search__contains=word) | Q(contract__in=there))
    return stations
