"""The tables: stations as last seen, their changes, the polls, the plans of polls, and the visitors' remarks."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from eventbus.ids import uuid7

FEED_LENGTH_MAX = 80  # characters; with a station's id it is an event's key, which has at most 200
STATION_ID_LENGTH_MAX = 100  # characters; the longest id met in a feed has 36
NAME_LENGTH_MAX = 200  # characters; the longest name met in a feed has 48
ADDRESS_LENGTH_MAX = 300  # characters; the longest address met in a feed has 93
REMARK_NAME_LENGTH_MAX = 40  # characters: a name, not a text
REMARK_LENGTH_MAX = 500  # characters: a remark, not a letter
REASON_LENGTH_MAX = 300  # characters: a sentence and its remedy


class Station(models.Model):
    """One station's state as of its last change. Rows are never deleted: a station that has gone is marked `gone`.

    `version` grows by one with each change, and every reader compares it. A poll writes only changed stations. So
    `polled_at` is the time of the poll that found this version, and `changed_at` the time when it was written.
    """

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    station_id = models.CharField(_("station id"), max_length=STATION_ID_LENGTH_MAX)  # unique within its feed
    contract = models.CharField(_("contract"), max_length=60)  # case-folded: the city under which pages show it
    number = models.PositiveIntegerField(_("number"), null=True, blank=True)  # the operator's, if it has numbers
    version = models.PositiveIntegerField(_("version"))
    name = models.CharField(_("name"), max_length=NAME_LENGTH_MAX)
    address = models.CharField(_("address"), max_length=ADDRESS_LENGTH_MAX, blank=True)
    lat = models.FloatField(_("latitude"))
    lng = models.FloatField(_("longitude"))
    status = models.CharField(_("status"), max_length=40)
    bikes = models.PositiveIntegerField(_("bikes"))
    mechanical = models.PositiveIntegerField(_("mechanical bikes"), null=True, blank=True)
    electrical = models.PositiveIntegerField(_("electrical bikes"), null=True, blank=True)
    stands = models.PositiveIntegerField(_("free stands"), null=True, blank=True)  # None: bikes stand anywhere
    capacity = models.PositiveIntegerField(_("capacity"))
    connected = models.BooleanField(_("connected"), null=True)
    banking = models.BooleanField(_("payment terminal"), null=True)
    bonus = models.BooleanField(_("bonus"), null=True)
    overflow = models.BooleanField(_("overflow"), null=True)
    gone = models.BooleanField(_("gone"), default=False)
    held = models.CharField(_("held because"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    bad = models.CharField(_("unreadable because"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    reported_at = models.DateTimeField(_("reported at"), null=True, blank=True)
    # Of a bad or gone one: the last poll that saw its row good. Of the others that is the last good poll of its feed.
    seen_at = models.DateTimeField(_("last seen good"), null=True, blank=True)
    search = models.TextField(_("search words"), default="", editable=False)  # made by `services.search.folded`
    first_seen = models.DateTimeField(_("first seen"))
    changed_at = models.DateTimeField(_("changed at"))
    polled_at = models.DateTimeField(_("polled at"))

    class Meta:
        verbose_name = _("station")
        verbose_name_plural = _("stations")
        permissions = (("rule_station", _("Can hold and release stations")),)
        constraints = (
            models.UniqueConstraint(fields=("feed", "station_id"), name="station_key"),
            models.CheckConstraint(condition=Q(version__gte=1), name="station_version_from_one"),
            models.CheckConstraint(condition=Q(lat__range=(-90, 90), lng__range=(-180, 180)), name="station_on_earth"),
        )
        indexes = (models.Index(fields=("feed", "contract"), name="station_city"),)  # a city's page reads its rows only

    def __str__(self) -> str:
        return f"{self.feed} {self.station_id} {self.name}"


class StationRuling(models.Model):
    """A decision of staff about one station: to hold it apart, or to release it, whatever its rows look like."""

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    station_id = models.CharField(_("station id"), max_length=STATION_ID_LENGTH_MAX)
    held = models.BooleanField(_("held"))
    by = models.CharField(_("decided by"), max_length=40)  # the id of the account
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("ruling")
        verbose_name_plural = _("rulings")
        constraints = (models.UniqueConstraint(fields=("feed", "station_id"), name="stationruling_key"),)

    def __str__(self) -> str:
        return f"{self.feed} {self.station_id}"


class StationHistory(models.Model):
    """One change of one station, written by the group `stations` from `StationChanged`; at most one per version."""

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    station_id = models.CharField(_("station id"), max_length=STATION_ID_LENGTH_MAX)
    contract = models.CharField(_("contract"), max_length=60)
    version = models.PositiveIntegerField(_("version"))
    kinds = models.JSONField(_("kinds"))  # a list of `events.Kind` words
    status = models.CharField(_("status"), max_length=40)
    bikes = models.PositiveIntegerField(_("bikes"))
    mechanical = models.PositiveIntegerField(_("mechanical bikes"), null=True, blank=True)
    electrical = models.PositiveIntegerField(_("electrical bikes"), null=True, blank=True)
    stands = models.PositiveIntegerField(_("free stands"), null=True, blank=True)  # None: bikes stand anywhere
    capacity = models.PositiveIntegerField(_("capacity"))
    taken = models.PositiveIntegerField(_("taken"), default=0)
    returned = models.PositiveIntegerField(_("returned"), default=0)
    at = models.DateTimeField(_("at"))  # the event's polled_at

    class Meta:
        verbose_name = _("station change")
        verbose_name_plural = _("station changes")
        constraints = (
            # A station's page reads by it too: its last changes, newest version first.
            models.UniqueConstraint(fields=("feed", "station_id", "version"), name="stationhistory_key"),
        )
        # For the newest changes of all stations and for deleting the oldest; and for the newest changes of a city.
        indexes = (
            models.Index(fields=("at",), name="stationhistory_at"),
            models.Index(fields=("contract", "at"), name="stationhistory_city"),
        )

    def __str__(self) -> str:
        return f"{self.feed} {self.station_id} v{self.version}"


class RecentChange(models.Model):
    """A change that no `StationDay` holds yet. The poller packs it after its day, or soon, if it came late."""

    station = models.ForeignKey(Station, models.CASCADE, db_index=False, verbose_name=_("station"))
    at = models.DateTimeField(_("at"))  # the event's polled_at, in whole milliseconds
    version = models.PositiveIntegerField(_("version"))
    bikes = models.PositiveIntegerField(_("bikes"))
    electrical = models.PositiveIntegerField(_("electrical bikes"), null=True, blank=True)
    stands = models.PositiveIntegerField(_("free stands"), null=True, blank=True)
    state = models.PositiveSmallIntegerField(_("state"))  # of `history.samples.State`

    class Meta:
        verbose_name = _("recent change")
        verbose_name_plural = _("recent changes")
        constraints = (models.UniqueConstraint(fields=("station", "at"), name="recentchange_key"),)
        indexes = (models.Index(fields=("at",), name="recentchange_at"),)  # for forgetting the oldest

    def __str__(self) -> str:
        return f"{self.station_id} {self.at:%Y-%m-%d %H:%M:%S}"


class StationDay(models.Model):
    """A station's changes of one day in UTC, packed by `history.packing`: a row for each would take seven times it."""

    day = models.DateField(_("day"))
    station = models.ForeignKey(Station, models.CASCADE, db_index=False, verbose_name=_("station"))
    changes = models.BinaryField(_("changes"))

    class Meta:
        verbose_name = _("station's day")
        verbose_name_plural = _("stations' days")
        # By the day first: a moment of a city reads one day, and the oldest days are forgotten together.
        constraints = (models.UniqueConstraint(fields=("day", "station"), name="stationday_key"),)

    def __str__(self) -> str:
        return f"{self.station_id} {self.day}"


class StationHours(models.Model):
    """The 24 hours of a station's day in UTC, packed. They are kept for longer than the changes that they count."""

    day = models.DateField(_("day"))
    station = models.ForeignKey(Station, models.CASCADE, db_index=False, verbose_name=_("station"))
    hours = models.BinaryField(_("hours"))

    class Meta:
        verbose_name = _("station's hours")
        verbose_name_plural = _("stations' hours")
        constraints = (models.UniqueConstraint(fields=("day", "station"), name="stationhours_key"),)

    def __str__(self) -> str:
        return f"{self.station_id} {self.day}"


class FeedSpan(models.Model):
    """A time in which a feed answered without a gap. Outside of such times nobody knows the state of its stations."""

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"))  # its last answer so far

    class Meta:
        verbose_name = _("span of a feed")
        verbose_name_plural = _("spans of feeds")
        constraints = (
            models.UniqueConstraint(fields=("feed", "since"), name="feedspan_key"),
            models.CheckConstraint(condition=Q(until__gte=models.F("since")), name="feedspan_in_order"),
        )

    def __str__(self) -> str:
        return f"{self.feed} {self.since:%Y-%m-%d %H:%M:%S}"


class PollRun(models.Model):
    """One poll of one feed and how it went."""

    class Outcome(models.TextChoices):
        OK = "ok", _("ok")
        FAILED = "failed", _("failed")

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    started = models.DateTimeField(_("started"))
    ms = models.PositiveIntegerField(_("milliseconds"))
    fetched = models.PositiveIntegerField(_("fetched"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    appeared = models.PositiveIntegerField(_("appeared"), default=0)
    gone = models.PositiveIntegerField(_("gone"), default=0)
    jumps = models.PositiveIntegerField(_("jumps"), default=0)  # changes of JUMP_BIKES_MIN bikes or more at once
    shifted = models.PositiveIntegerField(_("stations at another place"), default=0)
    bad = models.JSONField(_("bad rows"), default=dict, blank=True)  # {reason: count}
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH_MAX, blank=True)
    detail = models.CharField(_("detail"), max_length=REASON_LENGTH_MAX, blank=True)
    updated_at = models.DateTimeField(_("made by the feed at"), null=True, blank=True)  # by the feed's own word

    class Meta:
        verbose_name = _("poll")
        verbose_name_plural = _("polls")
        indexes = (
            models.Index(fields=("feed", "started"), name="pollrun_feed_started"),  # a feed's last polls, newest first
            models.Index(fields=("-started", "-id"), name="pollrun_newest"),  # the admin's list
        )
        constraints = (models.CheckConstraint(condition=Q(outcome__in=("ok", "failed")), name="pollrun_outcome_known"),)

    def __str__(self) -> str:
        return f"{self.feed} {self.started:%Y-%m-%d %H:%M:%S}"


class PollPlan(models.Model):
    """The plan of a feed's polls. The producer's page changes it, and the poller applies the change within 200 ms."""

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX, primary_key=True)
    running = models.BooleanField(_("running"), default=True)
    interval_ms = models.PositiveIntegerField(_("interval in milliseconds"))
    calls_left = models.PositiveIntegerField(_("calls left"), default=0)  # 0: until stopped
    not_before = models.DateTimeField(_("not asked before"), null=True, blank=True)  # the feed's own Retry-After
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("poll plan")
        verbose_name_plural = _("poll plans")
        constraints = (models.CheckConstraint(condition=Q(interval_ms__gte=1), name="pollplan_interval_positive"),)

    def __str__(self) -> str:
        return self.feed


class Remark(models.Model):
    """A visitor's text from the remark box."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=REMARK_NAME_LENGTH_MAX, blank=True)
    message = models.CharField(_("message"), max_length=REMARK_LENGTH_MAX)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("remark")
        verbose_name_plural = _("remarks")
        indexes = (models.Index(fields=("at",), name="remark_at"),)  # the newest on the page

    def __str__(self) -> str:
        return f"{self.name or '?'}: {self.message[:40]}"


class RemarkBox(models.Model):
    """The state of the remark box. Its only row is written when staff close the box for the first time."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    is_open = models.BooleanField(_("open"), default=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("remark box")
        verbose_name_plural = _("remark box")
        constraints = (models.CheckConstraint(condition=Q(id=1), name="remarkbox_is_one"),)

    def __str__(self) -> str:
        return "open" if self.is_open else "closed"
