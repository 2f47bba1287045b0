"""The table of riders' alerts, each with the state of its present episode."""

from django.db import models
from django.db.models import Q
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from eventbus.ids import uuid7
from stations.models.tables import FEED_LENGTH_MAX, NAME_LENGTH_MAX, STATION_ID_LENGTH_MAX

ALERTS_MAX = 10  # of one account: each is looked at with every change of its stations; home, work and some between
OWNER_LENGTH_MAX = 40  # characters; the id of an account is a UUID of 36
URL_LENGTH_MAX = 300  # characters; the address of a webhook with its key
SECRET_LENGTH = 43  # characters: 32 random bytes in base64
ERROR_LENGTH_MAX = 100  # characters: why a webhook was not taken
ZONE_LENGTH_MAX = 60  # characters; the longest name of a time zone has 32


class Alert(models.Model):
    """A rider's wish to be told when a place has too few bikes or stands, is closed, or tells nothing.

    The place is a station, or a circle around it if `radius_m` is set. An *episode* is a time in which the
    place is short. `episode` counts them, and `told_episode` is the last of which nobody needs to be told any more.
    """

    class Kind(models.TextChoices):
        BIKES = "bikes", _("there are fewer bikes than")
        STANDS = "stands", _("there are fewer free stands than")
        CLOSED = "closed", _("the station is closed")
        FEED = "feed", _("its figures no longer come")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.CharField(max_length=OWNER_LENGTH_MAX)  # the id of the account
    slot = models.PositiveSmallIntegerField()  # from 1: two forms sent at once make no alert beyond the limit
    kind = models.CharField(max_length=10, choices=Kind)
    threshold = models.PositiveSmallIntegerField(null=True, blank=True)  # None: the kind has none
    feed = models.CharField(max_length=FEED_LENGTH_MAX)
    station_id = models.CharField(max_length=STATION_ID_LENGTH_MAX)  # of a circle: the station that it was made at
    place = models.CharField(max_length=NAME_LENGTH_MAX)  # the name of that station then
    lat = models.FloatField(null=True, blank=True)  # of the circle's centre
    lng = models.FloatField(null=True, blank=True)
    radius_m = models.PositiveIntegerField(null=True, blank=True)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    zone = models.CharField(max_length=ZONE_LENGTH_MAX, default="UTC")  # IANA
    webhook = models.CharField(max_length=URL_LENGTH_MAX, blank=True, default="")
    secret = models.CharField(max_length=SECRET_LENGTH, default="", editable=False)  # signs what the webhook gets
    webhook_error = models.CharField(max_length=ERROR_LENGTH_MAX, blank=True, default="")  # of the last try
    posted_episode = models.PositiveIntegerField(default=0)  # the last that the webhook took
    paused = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    episode = models.PositiveIntegerField(default=0)
    running = models.BooleanField(default=False)
    began_at = models.DateTimeField(null=True, blank=True)
    recovered_at = models.DateTimeField(null=True, blank=True)  # not short since then, and not clearly over
    told_episode = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        default_permissions = ()  # it says where somebody rides: nobody at the desk opens this table
        constraints = (
            models.UniqueConstraint(fields=("owner", "slot"), name="alert_slot"),
            models.CheckConstraint(condition=Q(slot__range=(1, ALERTS_MAX)), name="alert_slot_within_limit"),
            models.CheckConstraint(
                condition=Q(radius_m=None) | Q(lat__range=(-90, 90), lng__range=(-180, 180)),
                name="alert_circle_on_earth",
            ),
        )
        indexes = (
            models.Index(fields=("feed", "station_id"), name="alert_station"),  # for each change of a station
            models.Index(fields=("lat", "lng"), condition=~Q(radius_m=None), name="alert_circle"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.feed} {self.station_id}"

    @property
    def sentence(self) -> str:
        """The news that the rider gets, in the language of now, without a full stop."""
        number = self.threshold or 0
        if self.kind == self.Kind.BIKES:
            return ngettext("There is no bike", "There are fewer than %(number)s bikes", number) % {"number": number}
        if self.kind == self.Kind.STANDS:
            told = ngettext("There is no free stand", "There are fewer than %(number)s free stands", number)
            return told % {"number": number}
        if self.kind == self.Kind.CLOSED:
            return gettext("The station is closed")
        return gettext("No new figures come")

    @property
    def where(self) -> str:
        """The station, or the circle around it."""
        if self.radius_m is None:
            return self.place
        radius = number_format(self.radius_m, force_grouping=True)
        return gettext("%(radius)s m around %(place)s") % {"radius": radius, "place": self.place}
