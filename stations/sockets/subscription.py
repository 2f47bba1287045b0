"""A client's subscription: how far the client is with each channel, and the frames that it lacks."""

from stations.live.live_state import WORLD, LiveState, encode
from stations.sockets.protocol import Subscribe

SUBSCRIBED = encode({"type": "subscribed"})  # all frames that answer the request have been sent


class Subscription:
    """The contracts that a client follows, and with `world` the sums of the cities.

    `told` has the last seq sent to the client, for each channel. A client further behind than the kept changes gets a
    snapshot again.
    """

    def __init__(self, request: Subscribe) -> None:
        self.told: dict[str, int] = {}
        self._contracts, self._world, self._since = request.followed, request.world, request.since
        self._epoch = ""  # of the client's state; "": not looked at yet
        self._version = -1  # of the live state that was last looked at
        self._answered = False

    def due(self, state: LiveState) -> list[str | bytes]:
        """Return the frames that the client lacks, and note them as sent."""
        if self._epoch != state.epoch:
            self._begin(state)
        elif self._version == state.version:
            return []
        self._version = state.version
        frames = [frame for name in self._followed(state) if (frame := self._frame(state, name))]
        if not self._answered:
            self._answered = True
            frames.append(SUBSCRIBED)
        return frames

    def _begin(self, state: LiveState) -> None:
        """Begin where the client says that it is, if its state is of this epoch."""
        since, self._since = self._since, None
        held = since.seqs if since and since.epoch == state.epoch else {}
        wanted = {*self._followed(state)}
        self._epoch, self.told = state.epoch, {name: seq for name, seq in held.items() if name in wanted}

    def _followed(self, state: LiveState) -> list[str]:
        """Return the names of the channels to send. The world comes first."""
        contracts = state.contracts if self._contracts is None else self._contracts
        return [*([WORLD] if self._world else []), *contracts]

    def _frame(self, state: LiveState, name: str) -> str | bytes | None:
        channel, told = state.channel(name), self.told.get(name)
        if told == channel.seq:
            return None
        if told is None or not channel.reaches(told):
            self.told[name] = channel.seq
            return channel.snapshot()
        # Of the cities that it follows, a client counts the stations itself.
        without = self._contracts if name == WORLD and self._contracts else frozenset[str]()
        delta = channel.delta(told, without)
        # Send an empty delta only to keep a client whose own cities alone change within the kept changes.
        if delta.empty and channel.well_reaches(told):
            return None
        self.told[name] = channel.seq
        return delta.text
