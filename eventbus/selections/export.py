"""Dead letters as JSON lines."""

from collections.abc import Iterator
from typing import Any

import msgspec

from eventbus.database.storable_text import readable
from eventbus.models import BulkRun, DeadLetter
from eventbus.selections.bulk_runs import letter_ids

LETTERS_AT_ONCE = 50  # of one block: a payload may have a megabyte


def blocks(run: BulkRun, *, payloads: bool) -> Iterator[bytes]:
    """Yield the letters of a run that still exist, some lines at a time, with payloads and error texts or without."""
    ids = letter_ids(run)
    for at in range(0, len(ids), LETTERS_AT_ONCE):
        letters = DeadLetter.objects.filter(id__in=ids[at : at + LETTERS_AT_ONCE]).order_by("id")
        told = [described(letter, payloads=payloads) for letter in letters]
        if told:
            yield msgspec.json.Encoder().encode_lines(told)


def described(letter: DeadLetter, *, payloads: bool = True) -> dict[str, Any]:
    """Return a dead letter as a JSON object for programs, with its payload and the texts that may quote it or not."""
    found = {
        "id": letter.pk,
        "group": letter.group,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "type": letter.type,
        "event_id": letter.event_id,
        "key": letter.key,
        "state": letter.state,
        "request": letter.request,
        "parks": letter.parks,
        "attempts": letter.attempts,
        "died_at": letter.died_at,
        "handler": letter.handler,
        "code_line": letter.code_line,
        "error_class": letter.error_class,
    }
    if payloads:
        found |= {
            "error": letter.error,
            "traceback": letter.traceback,
            "headers": letter.headers,
            "payload": readable(letter.payload),
        }
    return found
