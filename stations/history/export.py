"""Export a station's changes or hours between two days, as CSV or JSON: bounded, and written day by day."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import BadRequest
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from eventbus import clock
from stations.feeds.active_feeds import active_feeds
from stations.history.reading import changes_between, hours_between
from stations.history.samples import DAY_MS, Hour, Sample, State, moment, start_of
from stations.limits import ExportsTooOften, count_export, network_of
from stations.models import Station

DAYS_MAX = {"changes": 31, "hours": 366}  # in one export: some ten thousand rows each, written in about a second
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that begins with one of them
COLUMNS = {
    "changes": ("feed", "station_id", "at", "bikes", "electrical", "stands", "state"),
    "hours": ("feed", "station_id", "at", "lowest", "mean", "highest", "known_s", "empty_s", "full_s"),
}


@require_safe
def export(request: HttpRequest, feed: str, station_id: str) -> HttpResponseBase:
    """Return a station's `?kind=` from `?since=` to `?until=`, days in UTC, as `?format=`. The last week by default."""
    if active_feeds().named(feed) is None:
        raise Http404
    station = get_object_or_404(Station, feed=feed, station_id=station_id)
    kind, format_ = _choice(request, "kind", tuple(DAYS_MAX)), _choice(request, "format", tuple(TYPES))
    days = _days(request, DAYS_MAX[kind])
    try:
        count_export(client=network_of(request.META.get("REMOTE_ADDR", "")), now=clock.now())
    except ExportsTooOften as often:
        return _too_often(request, often)
    blocks = _csv(station, kind, days) if format_ == "csv" else _json(station, kind, days)
    answer = StreamingHttpResponse(
        _later(blocks) if isinstance(request, ASGIRequest) else blocks, content_type=TYPES[format_]
    )
    name = f"station-{station.pk}-{kind}-{days[0]}-{days[-1]}.{format_}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _choice(request: HttpRequest, name: str, choices: tuple[str, ...]) -> str:
    asked = request.GET.get(name, choices[0])
    if asked not in choices:
        raise BadRequest(f"{name}: {' or '.join(choices)}")
    return asked


def _days(request: HttpRequest, most: int) -> list[date]:
    """Return the asked days. Raises BadRequest for none of the calendar, or too many at once."""
    today = clock.now().date()
    try:
        until = date.fromisoformat(request.GET.get("until") or today.isoformat())
        since = date.fromisoformat(request.GET.get("since") or (until - timedelta(days=6)).isoformat())
    except (ValueError, OverflowError):
        raise BadRequest("since and until: YYYY-MM-DD") from None
    if not 0 <= (until - since).days < most or since.year < 1970 or until > today + timedelta(days=1):
        raise BadRequest(f"since and until: at most {most} days, in order, and not in the future")
    return [since + timedelta(days=n) for n in range((until - since).days + 1)]


def _too_often(request: HttpRequest, often: ExportsTooOften) -> HttpResponse:
    answer = render(request, "429.html", {"minutes": 1}, status=429)
    answer["Retry-After"] = str(often.retry_after)
    return answer


def _rows(station: Station, kind: str, day: date, *, first: bool) -> Iterator[dict[str, Any]]:
    start = start_of(day)
    named = {"feed": station.feed, "station_id": station.station_id}
    if kind == "hours":
        yield from (named | _hour(one) for one in hours_between(station, start, start + DAY_MS) if one.known_ms)
        return
    # Asked from just before the day on, so that a change at midnight is none of the state before it.
    since = start if first else start - 1
    for one in changes_between(station, since, start + DAY_MS):
        if one.at >= start:
            yield named | _change(one)


def _change(one: Sample) -> dict[str, Any]:
    return one._asdict() | {"at": moment(one.at).isoformat(), "state": State(one.state).name}


def _hour(one: Hour) -> dict[str, Any]:
    seconds = {f"{name}_s": round(getattr(one, f"{name}_ms") / 1000) for name in ("known", "empty", "full")}
    figures = {"lowest": one.lowest, "mean": round(one.mean or 0, 3), "highest": one.highest}
    return {"at": moment(one.at).isoformat(), **figures, **seconds}


def _csv(station: Station, kind: str, days: list[date]) -> Iterator[str]:
    """Yield a block for each day."""
    for day in days:
        block = io.StringIO()
        writer = csv.writer(block)
        if day == days[0]:
            writer.writerow(COLUMNS[kind])
        for row in _rows(station, kind, day, first=day == days[0]):
            writer.writerow([_cell(row[name]) for name in COLUMNS[kind]])
        yield block.getvalue()


def _cell(value: Any) -> Any:
    """Return a text so that no spreadsheet takes it for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _json(station: Station, kind: str, days: list[date]) -> Iterator[str]:
    """Yield a block for each day: an object on each line of one list."""
    told = False
    for day in days:
        rows = [json.dumps(row) for row in _rows(station, kind, day, first=day == days[0])]
        begin = "[\n" if day == days[0] else ",\n" if rows and told else ""
        told = told or bool(rows)
        yield begin + ",\n".join(rows)
    yield "\n]\n"


async def _later(blocks: Iterator[str]) -> AsyncIterator[str]:
    """Yield the blocks to a server that asks for them without a thread of its own."""
    while (block := await sync_to_async(lambda: next(blocks, None))()) is not None:
        yield block
