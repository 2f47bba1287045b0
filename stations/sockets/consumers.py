"""The stations' two sockets: the dashboard's and the producer's. docs/stations-socket.md describes their protocol."""

from channels.db import database_sync_to_async

from eventbus import clock
from stations.feeds.active_feeds import feed_names
from stations.live.live_state import Contracts, encode
from stations.models import PollPlan
from stations.sockets import page_fragments
from stations.sockets.admission import WHO_SECONDS, may_produce, may_still_produce
from stations.sockets.protocol import BadRequest, Since, Subscribe
from stations.sockets.pull_socket import CLOSE_BEHIND, CLOSE_FORBIDDEN, STAFF_ONLY, Due, LiveSocket, error

PLAN_LOOK_SECONDS = 1  # the delay until another process's plan shows; one small query while the page is open


class StationsConsumer(LiveSocket):
    """`/ws/stations/`: a snapshot of the contracts subscribed to, then numbered deltas.

    `told`: the last seq sent to the client. `looked`: the last seq checked; it is higher when later changes concern
    other contracts. A connected client that fell out of the change window gets one snapshot, and the server closes with
    4008 (`CLOSE_BEHIND`).
    """

    fragments: page_fragments.PageFragments | None = None

    async def connect(self) -> None:
        self.contracts: Contracts = None
        self.since: Since | None = None
        self.epoch = ""  # of the client's state; "": it has none
        self.told = self.looked = self.status_number = 0
        self.subscribed = False
        await super().connect()

    @property
    def told_seq(self) -> int:
        return self.told

    def answer(self, request: Subscribe) -> None:
        self.contracts, self.since = request.followed, request.since
        self.epoch, self.subscribed = "", True
        if request.station and self.fragments is None:
            self.open_page(request.station)

    def open_page(self, station_id: str) -> None:
        """Begin to send the fragments that other apps draw on this station's page. A socket serves one page at most."""
        if station := self.live.state.find(station_id):
            self.fragments = page_fragments.of_station(station, self.scope, wake=self.awake.set)
        if self.fragments:
            self.fragments.open()

    async def leave(self) -> None:
        if self.fragments:
            await self.fragments.close()
        await super().leave()

    async def due(self) -> Due:
        if not self.subscribed:
            return Due([])
        stations, fragments = self.stations_due(), self.fragments_due()
        if self.status_number == self.live.status.number and not fragments:
            return stations
        return Due([*stations.frames, *self.status_due(), *fragments], stations.close_code)

    def fragments_due(self) -> list[str]:
        found = self.fragments.take() if self.fragments else {}
        return [encode({"type": "fragments", **found})] if found else []

    def stations_due(self) -> Due:
        state = self.live.state
        if self.epoch != state.epoch:
            return Due(self.resumed() or self.snapshot())
        if not state.reaches(self.looked):
            return Due(self.snapshot(), CLOSE_BEHIND)
        return Due(self.delta())

    def snapshot(self) -> list[str]:
        state = self.live.state
        self.epoch, self.told, self.looked = state.epoch, state.seq, state.seq
        return [state.snapshot(self.contracts)]

    def resumed(self) -> list[str]:
        """Return the frames that the client missed since it left, or none if the window no longer holds them."""
        since, self.since = self.since, None
        state = self.live.state
        if since is None or since.epoch != state.epoch or not state.reaches(since.seq):
            return []
        self.epoch, self.told, self.looked = state.epoch, since.seq, since.seq
        missed = self.delta()
        return [encode({"type": "resumed", "from": since.seq, "to": self.told}), *missed]

    def delta(self) -> list[str]:
        state = self.live.state
        if state.seq == self.looked:
            return []
        delta = state.delta(self.contracts, after=self.looked, prev=self.told)
        self.looked = state.seq
        # Send an empty delta only to keep a quiet city's client within the window.
        if delta.empty and state.well_reaches(self.told):
            return []
        self.told = state.seq
        return [delta.text]

    def status_due(self) -> list[str]:
        status = self.live.status
        after, self.status_number = self.status_number, status.number
        return [*status.feeds_told(after), *status.remarks(after)]


class ProducerConsumer(LiveSocket):
    """`/ws/producer/`: polls as they finish, each feed's plan, and remarks. It needs no subscription."""

    sleep_seconds_max = PLAN_LOOK_SECONDS

    async def connect(self) -> None:
        self.status_number = 0
        self.plans: list[str] = []
        self.plans_looked_at = float("-inf")  # the loop's clock
        self.who_looked_at = clock.monotonic()
        await super().connect()

    @property
    def told_seq(self) -> int:
        return self.live.state.seq

    async def may_enter(self) -> bool:
        allowed: bool = await database_sync_to_async(may_produce)(self.scope.get("user"))
        return allowed

    def answer(self, request: Subscribe) -> None:
        raise BadRequest("unknown_type", "There is nothing to ask for here: listen.", fatal=True)

    async def may_stay(self) -> bool:
        """Return True while the user is signed in and may see this. It looks this up only every WHO_SECONDS."""
        if clock.monotonic() - self.who_looked_at < WHO_SECONDS:
            return True
        self.who_looked_at = clock.monotonic()
        allowed: bool = await database_sync_to_async(may_still_produce)(self.scope.get("session"))
        return allowed

    async def due(self) -> Due:
        if not await self.may_stay():
            return Due([error("staff_only", STAFF_ONLY)], CLOSE_FORBIDDEN)
        plans = await self.plans_due()  # before the status: else frames from during this wait would be sent twice
        status = self.live.status
        after, self.status_number = self.status_number, status.number
        return Due([*plans, *status.feeds_told(after), *status.polls(after), *status.remarks(after)])

    async def plans_due(self) -> list[str]:
        if self.live.loop.time() - self.plans_looked_at < PLAN_LOOK_SECONDS:
            return []
        self.plans_looked_at = self.live.loop.time()
        before, self.plans = self.plans, await database_sync_to_async(_plans_told)()
        return [plan for plan in self.plans if plan not in before]


def _plans_told() -> list[str]:
    return [
        encode(
            {
                "type": "plan",
                "feed": plan.feed,
                "running": plan.running,
                "interval_ms": plan.interval_ms,
                "calls_left": plan.calls_left,
            }
        )
        for plan in PollPlan.objects.filter(feed__in=feed_names()).order_by("feed")
    ]
