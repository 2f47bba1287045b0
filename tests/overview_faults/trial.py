"""One fault from its beginning until nothing tells of it any more, with what was seen meanwhile."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.overview_faults.alerts import Scraper
from tests.overview_faults.faults import Fault, Scene, follows, is_named
from tests.overview_faults.site import OPERATOR
from tests.overview_faults.staff import Staff, looks

PROMISED_SECONDS = 15.0  # for a fault to be named, and for a repaired one to be gone
WAIT_SECONDS = 90.0  # then it is not named, or not gone, at all
CALM_SECONDS = 90.0  # for a site that has just begun, or recovers from the fault before
LOOK_SECONDS = 0.5


@dataclass
class Outcome:
    """What became of one fault. Seconds are None for what did not happen in time."""

    fault: str
    backend: str
    named_seconds: float | None = None
    gone_seconds: float | None = None
    clicks: int | None = None
    titles: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    webhooks: dict[str, int] = field(default_factory=dict)
    mails: dict[str, int] = field(default_factory=dict)
    told_seconds: float | None = None
    over_told_seconds: float | None = None
    alerts: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Trial:
    """One fault on a site."""

    def __init__(self, name: str, fault: Fault, scene: Scene, scraper: Scraper) -> None:
        self._fault, self._scene, self._scraper = fault, scene, scraper
        self._staff: Staff = scene.staff
        self._outcome = Outcome(name, scene.site.backend)

    def run(self) -> Outcome:
        """Break, look, repair and look again."""
        found, staff, receiver = self._outcome, self._staff, self._scene.site.receiver
        self._wait_until_calm()
        posts, mails, scrape = len(receiver.posts), len(self._mails()), self._scraper.mark()
        staff.slowest_seconds, staff.unanswered = 0.0, 0
        with self._fault.broken(self._scene):
            begun = time.monotonic()
            found.named_seconds, titles = looks(staff, lambda now: any(map(self._is_it, now)), WAIT_SECONDS)
            if found.named_seconds is not None:
                found.clicks = self._clicks()
                found.told_seconds = self._told_within(lambda: self._told(posts)["began"] > 0, begun)
            _seconds, more = looks(staff, lambda now: False, 2.0)
            titles |= more
        begun = time.monotonic()
        found.gone_seconds, more = looks(staff, lambda now: not any(map(self._of_it, now)), WAIT_SECONDS)
        titles |= more
        if found.told_seconds is not None:
            found.over_told_seconds = self._told_within(lambda: self._all_told(posts), begun)
        found.slowest_seconds, found.unanswered = staff.slowest_seconds, staff.unanswered
        found.titles, found.others = sorted(titles), sorted(one for one in titles if not self._of_it(one))
        found.webhooks, found.mails = self._webhooks(posts), self._mailed(mails)
        found.alerts = sorted(self._scraper.fired(scrape))
        found.wrong = list(self._wrong())
        return found

    def _wait_until_calm(self) -> None:
        seconds, titles = looks(self._staff, lambda now: not now, CALM_SECONDS)
        assert seconds is not None, f"the site is not well to begin with: {sorted(titles)}"
        deadline = time.monotonic() + CALM_SECONDS
        while self._open_notices() and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline

    def _open_notices(self) -> list[tuple[Any, ...]]:
        return self._scene.site.rows("SELECT id FROM notices_fault WHERE active OR mail_due <> '' OR webhook_due <> ''")

    def _is_it(self, title: str) -> bool:
        return is_named(self._fault, title)

    def _of_it(self, title: str) -> bool:
        return follows(self._fault, title)

    def _clicks(self) -> int | None:
        shown = [one for title, one in self._staff.named().items() if self._is_it(title)]
        found = [self._staff.clicks_to(re.compile(self._fault.remedy), one) for one in shown]
        return min((one for one in found if one is not None), default=None)

    def _told_within(self, holds: Callable[[], bool], begun: float) -> float | None:
        while time.monotonic() < begun + WAIT_SECONDS:
            if holds():
                return time.monotonic() - begun
            time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline
        return None

    def _told(self, since: int) -> Counter[str]:
        posts = self._notices(since)
        return Counter(kind for kind, fault in posts if re.fullmatch(self._fault.id, fault))

    def _all_told(self, since: int) -> bool:
        """Whether each fault that was told has been told to be over."""
        posts = Counter(self._notices(since))
        return all(posts["ended", fault] >= count for (kind, fault), count in posts.items() if kind == "began")

    def _notices(self, since: int) -> list[tuple[str, str]]:
        told = [json.loads(body) for _headers, body in self._scene.site.receiver.posts[since:]]
        return [(one["type"].removeprefix("fault."), one["fault"]) for one in told]

    def _webhooks(self, since: int) -> dict[str, int]:
        return dict(Counter(f"{kind} {fault}" for kind, fault in self._notices(since)))

    def _mails(self) -> list[str]:
        return [text for text in self._scene.site.mails.texts if f"To: {OPERATOR}" in text]

    def _mailed(self, since: int) -> dict[str, int]:
        return dict(Counter(_subject(text) for text in self._mails()[since:]))

    def _wrong(self) -> Any:
        found, fault = self._outcome, self._fault
        if found.named_seconds is None:
            yield "it was never named"
            return
        if found.gone_seconds is None:
            yield "it was named for ever"
        if found.clicks is None:
            yield "no remedy within two clicks"
        if found.others:
            yield f"other faults were named: {found.others}"
        for kind in ("began", "ended"):
            told = [
                one for one in found.webhooks if one.startswith(kind) and re.fullmatch(fault.id, one.split(" ", 1)[1])
            ]
            if not told:
                yield f"no webhook that it {kind}"
        if any(count != 1 for count in found.webhooks.values()):
            yield f"told several times: {found.webhooks}"
        if not found.mails:
            yield "no mail"
        if not re.search(f"^({fault.alert})$", "\n".join(found.alerts), re.MULTILINE):
            yield f"{fault.alert} did not fire"
        if more := set(found.alerts) - {*fault.alert.split("|"), *fault.more_alerts}:
            yield f"other alerts fired: {sorted(more)}"

    @property
    def late(self) -> list[str]:
        """What took longer than is promised."""
        told = {"named": self._outcome.named_seconds, "gone": self._outcome.gone_seconds}
        return [name for name, seconds in told.items() if seconds is not None and seconds > PROMISED_SECONDS]


def _subject(mail: str) -> str:
    found = re.search(r"^Subject: (.*(?:\r?\n[ \t].*)*)", mail, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""
