"""The stations' two sockets: the dashboard's and the producer's. docs/stations-socket.md describes their protocol."""

from channels.db import database_sync_to_async

from eventbus import clock
from stations.feeds.active_feeds import feed_names
from stations.live.live_state import encode
from stations.models import PollPlan
from stations.sockets import page_fragments
from stations.sockets.admission import WHO_SECONDS, may_produce, may_still_produce
from stations.sockets.protocol import BadRequest, Subscribe
from stations.sockets.pull_socket import CLOSE_FORBIDDEN, STAFF_ONLY, Due, LiveSocket, error
from stations.sockets.subscription import Subscription

PLAN_LOOK_SECONDS = 1  # the delay until another process's plan shows; one small query while the page is open


class StationsConsumer(LiveSocket):
    """`/ws/stations/`: the frames of a subscription, the feeds, the remarks, and the fragments of a station's page."""

    subscription: Subscription | None = None
    fragments: page_fragments.PageFragments | None = None

    async def connect(self) -> None:
        self.status_number = 0
        await super().connect()

    @property
    def told_seqs(self) -> dict[str, int]:
        return self.subscription.told if self.subscription else {}

    def answer(self, request: Subscribe) -> None:
        self.subscription = Subscription(request, self.subscription)
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
        if not self.subscription:
            return Due([])
        frames, fragments = self.subscription.due(self.live.state), self.fragments_due()
        if self.status_number == self.live.status.number and not fragments:
            return Due(frames)
        return Due([*frames, *self.status_due(), *fragments])

    def fragments_due(self) -> list[str]:
        found = self.fragments.take() if self.fragments else {}
        return [encode({"type": "fragments", **found})] if found else []

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
    def told_seqs(self) -> dict[str, int]:
        return {}

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
