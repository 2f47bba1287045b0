"""A handler that takes longer than Kafka waits for a consumer's next poll, in real workers."""

from dataclasses import dataclass

from tests.rolling.rolling_site import Shift

GROUP = "thinkers"
WORKERS = 2
OTHERS = 40  # people who ask something quick: some in each partition


@dataclass
class Thought:
    """What was seen: `calls` of the handler that took long must be 1, `moved` partitions none."""

    seconds: float  # from the handler's call to its record
    poll_seconds: float  # what Kafka was told to wait
    calls: int
    moved: int

    @property
    def kept(self) -> bool:
        return self.calls == 1 and not self.moved and self.seconds > self.poll_seconds

    def __str__(self) -> str:
        return (
            f"a handler took {self.seconds:.0f} s where max.poll.interval.ms is {self.poll_seconds:.0f} s: "
            f"called {self.calls} times, {self.moved} partitions moved"
        )


def limits(poll_seconds: float) -> dict[str, str]:
    """The environment of workers whose clients wait so long; a session may not last longer than that."""
    milliseconds = int(poll_seconds * 1000)
    return {
        "KAFKA_CLIENT_SETTINGS": f"max.poll.interval.ms={milliseconds},session.timeout.ms={min(milliseconds, 6000)}"
    }


def think(shift: Shift, *, seconds: float, poll_seconds: float) -> Thought:
    """Two workers, whose clients have these `limits`, and one question that takes so long."""
    shift.relay()
    shift.begin(GROUP, WORKERS)
    shift.ask("early", 0, OTHERS)
    shift.wait(lambda: shift.answers() == OTHERS, "each partition is handled")
    epochs = shift.epochs(GROUP)

    shift.ask("slow", seconds, 1)
    shift.ask("late", 0, OTHERS)
    shift.wait(lambda: shift.answers() == OTHERS + 1 + OTHERS, "all are answered")

    calls = [line.split() for line in (shift.folder / "calls").read_text().splitlines()]
    began = [float(at) for name, at in calls if name == "slow0"]
    [(answered,)] = shift.rows("SELECT at FROM shift_answer WHERE name = 'slow0'")
    after = shift.epochs(GROUP)
    moved = sum(after[place] - epochs[place] for place in epochs)
    return Thought(answered - min(began), poll_seconds, len(began), moved)
