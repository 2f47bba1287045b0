"""The search of stations by typed words: "metro" finds "MÉTRO", and a number or a street finds its station too.

Names are folded (case and accents removed) once, when a station is written. Queries are folded the same way, so every
database compares plain letters. static/stations/text_folding.js does the same in the browser.
"""

import unicodedata

from django.db.models import QuerySet

from stations.models import Station

QUERY_LENGTH_MAX = 100  # characters used of a query; the longest name has 48
WORDS_MAX = 8  # of a query, each a condition of its own

# Letters that Unicode does not decompose, as people without these keys write them.
_SPELT = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "’": "'"}
)


def fold(text: str) -> str:
    """Return the text in small letters without accents, with one space between words."""
    apart = unicodedata.normalize("NFKD", text.replace("\0", " ").lower())
    bare = "".join(letter for letter in apart if not unicodedata.category(letter).startswith("M"))
    return " ".join(bare.translate(_SPELT).split())


def folded(*, called: int | str, name: str, address: str) -> str:
    """Return the search text of a station. `called` is its number, or its id if it has none."""
    return fold(f"{called} {name} {address}")


def found(stations: QuerySet[Station], query: str) -> QuerySet[Station]:
    """Return the stations that hold every word of the query, in any order."""
    for word in fold(query[:QUERY_LENGTH_MAX]).split()[:WORDS_MAX]:
        stations = stations.filter(search__contains=word)
    return stations
