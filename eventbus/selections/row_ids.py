"""Sets of row ids as short texts, for hidden fields of pages and for stored selections."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

ID_DIGITS_MAX = 18  # any number of 18 digits fits into 64 bits


def written(ids: Iterable[int]) -> str:
    """Return ids as a text such as "1-65,70". Thousands of consecutive ids take a few characters."""
    found: list[list[int]] = []
    for number in sorted(set(ids)):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def read(text: str, *, at_most: int) -> list[int]:
    """Return the ids of a text that `written` made.

    Any other text gives an empty list, as do more than `at_most` ids.
    """
    ids: list[int] = []
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) > 2 or not all(end.isascii() and end.isdecimal() and len(end) <= ID_DIGITS_MAX for end in ends):
            return []
        first, last = int(ends[0]), int(ends[-1])
        if last - first >= at_most - len(ids) or last < first:
            return []
        ids += range(first, last + 1)
    return ids if _grow(ids) else []


def _grow(ids: Sequence[int]) -> bool:
    return all(one < next_ for one, next_ in pairwise(ids))
