"""Hours counted as one would by hand: look at the station once a minute, or second, and write down its figures."""

from collections.abc import Iterable, Sequence

from stations.history.samples import HOUR_MS, Hour, Sample, Span


def counted(samples: Sequence[Sample], spans: Sequence[Span], hours: Iterable[int], *, step: int) -> list[Hour]:
    """Return the hours that begin at these times, looked at in the middle of every `step` of milliseconds."""
    look = _Look(samples, spans)
    return [_hour(at, [look.at(one) for one in range(at + step // 2, at + HOUR_MS, step)], step) for at in hours]


class _Look:
    """The open station as it was at a time, None if nobody knew it. Asked with times that only grow."""

    def __init__(self, samples: Sequence[Sample], spans: Sequence[Span]) -> None:
        self.coming, self.spans, self.last = list(samples), list(spans), None

    def at(self, look: int) -> Sample | None:
        while self.coming and self.coming[0].at <= look:
            self.last = self.coming.pop(0)
        while self.spans and self.spans[0][1] <= look:
            self.spans.pop(0)
        answered = bool(self.spans) and self.spans[0][0] <= look
        return self.last if self.last and answered and self.last.state == 0 else None


def _hour(at: int, looks: list[Sample | None], step: int) -> Hour:
    seen = [one for one in looks if one]
    bikes = [one.bikes for one in seen]
    return Hour(
        at=at,
        lowest=min(bikes, default=0),
        highest=max(bikes, default=0),
        bike_ms=sum(bikes) * step,
        known_ms=len(seen) * step,
        empty_ms=bikes.count(0) * step,
        full_ms=[one.stands for one in seen].count(0) * step,
    )
