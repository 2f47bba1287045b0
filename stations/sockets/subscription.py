"""A client's subscription: how far the client is with each channel, and the frames that it lacks."""

from stations.live.channel import Channel, Contracts, Delta
from stations.live.live_state import WORLD, LiveState, encode
from stations.sockets.protocol import Subscribe

SUBSCRIBED = encode({"type": "subscribed"})  # all frames that answer the request have been sent

RESUMED_CHANGES_MAX = 1_000  # in one answer: some 7 ms. Beyond that, snapshots are cheaper: one serves all clients


class Subscription:
    """The contracts that a client follows, and with `world` the sums of the cities.

    `told` has the last seq sent to the client, for each channel. A client further behind than the kept changes gets a
    snapshot again. `earlier` is the socket's subscription until now: some of its frames may still be on their way.
    """

    def __init__(self, request: Subscribe, earlier: "Subscription | None" = None) -> None:
        self.told: dict[str, int] = {}
        self._sent: dict[str, int] = earlier._sent if earlier else {}  # to this socket, by all of its subscriptions
        self._sent_epoch: str = earlier._sent_epoch if earlier else ""
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
        frames = [frame for name in self._followed(state) for frame in self._frames(state, name)]
        if not self._answered:
            self._answered = True
            frames.append(SUBSCRIBED)
        return frames

    def _begin(self, state: LiveState) -> None:
        """Begin where the client says that it is, if its state is of this epoch."""
        since, self._since = self._since, None
        self._answered = False  # a client forgets what this epoch's frames, all of them, do not hold
        held = since.seqs if since and since.epoch == state.epoch else {}
        wanted = {*self._followed(state)}
        self._epoch, self.told = state.epoch, _resumed(state, {name: held[name] for name in held.keys() & wanted})
        if self._sent_epoch != state.epoch:
            self._sent, self._sent_epoch = {}, state.epoch

    def _followed(self, state: LiveState) -> list[str]:
        """Return the names of the channels to send. The world comes first."""
        contracts = state.contracts if self._contracts is None else self._contracts
        return [*([WORLD] if self._world else []), *contracts]

    def _frames(self, state: LiveState, name: str) -> list[str | bytes]:
        told = self.told.get(name)
        if told == 0 and not state.knows(name):
            return []  # told already that it has no station
        channel = state.channel(name)
        if told == channel.seq:
            return []
        if told is None or not channel.reaches(told):
            self._note(name, channel.seq)
            return [channel.snapshot()]
        # Of the cities that it follows, a client counts the stations itself.
        without = self._contracts if name == WORLD and self._contracts else frozenset[str]()
        frames = self._deltas(channel, told, without)
        # Send an empty delta only to keep a client whose own cities alone change within the kept changes.
        if all(frame.empty for frame in frames) and channel.well_reaches(told):
            return []
        self._note(name, channel.seq)
        return [frame.text for frame in frames]

    def _deltas(self, channel: Channel, told: int, without: Contracts) -> list[Delta]:
        """Return the delta from `told` on, in two parts if frames on their way end in between.

        The client has the first part then, and leaves it out. Else it would count what happened there twice.
        """
        sent = self._sent.get(channel.name, told)
        if channel.name == WORLD or not told < sent < channel.seq:
            return [channel.delta(told, without)]
        return [channel.delta(told, without, until=sent), channel.delta(sent, without)]

    def _note(self, name: str, seq: int) -> None:
        self.told[name] = seq
        if seq:  # so only of channels that exist: a client may name any others
            self._sent[name] = seq


def _resumed(state: LiveState, held: dict[str, int]) -> dict[str, int]:
    """Return the channels that get a delta: those that lag least, up to RESUMED_CHANGES_MAX changes together."""
    lags = {name: abs(state.channel(name).seq - seq) for name, seq in held.items()}
    resumed, left = {}, RESUMED_CHANGES_MAX
    for name in sorted(lags, key=lags.__getitem__):
        if (left := left - lags[name]) < 0:
            break
        resumed[name] = held[name]
    return resumed
