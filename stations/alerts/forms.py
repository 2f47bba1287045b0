"""The forms of an alert: what to be told of, where, and when not."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from stations.alerts.places import RADIUS_M_MAX, RADIUS_M_MIN
from stations.alerts.webhooks import is_allowed
from stations.models import URL_LENGTH_MAX, Alert, Station

THRESHOLD_MAX = 100  # bikes or stands: more than a station has, and some of a circle
COUNTED = (Alert.Kind.BIKES, Alert.Kind.STANDS)


class AlertForm(forms.ModelForm):
    """An alert at a station that is given, or in a circle around it."""

    threshold = forms.IntegerField(
        label=_("Number of bikes or stands"), min_value=1, max_value=THRESHOLD_MAX, required=False, initial=3
    )
    radius_m = forms.IntegerField(
        label=_("Radius in metres"),
        min_value=RADIUS_M_MIN,
        max_value=RADIUS_M_MAX,
        required=False,
        help_text=_("Empty: this station alone. Else all stations around it are counted together."),
    )
    quiet_from = forms.TimeField(
        label=_("No message from"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    quiet_until = forms.TimeField(
        label=_("until"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    zone = forms.ChoiceField(label=_("Time zone of these times"), required=False)

    webhook = forms.CharField(
        label=_("Webhook"),
        required=False,
        max_length=URL_LENGTH_MAX,
        help_text=_("An https address of yours that gets the same news as signed JSON. It may stay empty."),
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = Alert
        fields = ("kind", "threshold", "radius_m", "quiet_from", "quiet_until", "zone", "webhook")

    def __init__(self, *given: Any, station: Station | None, zone: str, **named: Any) -> None:
        super().__init__(*given, **named)
        self.station, self.city_zone = station, zone
        chosen: Any = self.fields["kind"]
        chosen.label = _("Tell me when")
        chosen.choices = [(kind.value, kind.label) for kind in self._kinds()]
        zones: Any = self.fields["zone"]
        zones.choices = [(name, name) for name in sorted(available_timezones())]
        zones.initial = zone

    def _kinds(self) -> list[Alert.Kind]:
        """Return what can be asked for here: bikes that stand anywhere leave no stands to count."""
        anywhere = self.station is not None and self.station.stands is None
        return [Alert.Kind.BIKES, *([] if anywhere else [Alert.Kind.STANDS]), Alert.Kind.CLOSED, Alert.Kind.FEED]

    def clean_webhook(self) -> str:
        address: str = self.cleaned_data["webhook"]
        if address and not is_allowed(address):
            raise forms.ValidationError(_("Give a public address that begins with https://, without a password."))
        return address

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind = cleaned.get("kind")
        if kind in COUNTED and not cleaned.get("threshold"):
            if "threshold" not in self.errors:
                self.add_error("threshold", _("Say how many."))
        elif kind not in COUNTED:
            cleaned["threshold"] = None
            cleaned["radius_m"] = None
        if (cleaned.get("quiet_from") is None) != (cleaned.get("quiet_until") is None):
            self.add_error("quiet_until", _("Give both times, or none."))
        cleaned["zone"] = cleaned.get("zone") or self.city_zone
        self._place(cleaned)
        return cleaned

    def _place(self, cleaned: dict[str, Any]) -> None:
        """Put the alert at the station, and the centre of a circle where the station is."""
        alert = self.instance
        if self.station is not None:
            alert.feed, alert.station_id, alert.place = self.station.feed, self.station.station_id, self.station.name
        if cleaned.get("radius_m") is None:
            alert.lat = alert.lng = None
        elif self.station is not None:
            alert.lat, alert.lng = self.station.lat, self.station.lng
