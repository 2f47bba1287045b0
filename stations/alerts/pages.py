"""The pages on which riders see, make, change, pause and delete their alerts, and the page of a mail's link."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from eventbus import clock
from stations.alerts import editing, mail, places, riders
from stations.alerts.episodes import is_on
from stations.alerts.forms import AlertForm
from stations.feeds.active_feeds import active_feeds
from stations.limits import AlertsTooOften, count_alert
from stations.models import ALERTS_MAX, Alert, Station
from stations.services.statistics import city_zone

UNPROCESSABLE = 422  # a field is missing or wrong

View = Callable[..., HttpResponse]


def of_riders(view: View) -> View:
    """Let only visitors in who have signed in. Without an app that keeps accounts there is no such page."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not riders.are_known():
            raise Http404
        answer: HttpResponse = login_required(view)(request, *args, **kwargs)
        return answer

    return never_cache(guarded)


@require_safe
@of_riders
def alerts(request: HttpRequest) -> HttpResponse:
    """List the rider's alerts, each with how its place is now."""
    now = clock.now()
    found = Alert.objects.filter(owner=_owner(request)).order_by("place", "id")
    context = {
        "alerts": [_told(alert, now) for alert in found],
        "contact": riders.contact_of(_owner(request)),
        "most": ALERTS_MAX,
        "rest_days": editing.KEPT.days,
    }
    return render(request, "stations/alerts/list.html", context)


def _told(alert: Alert, now: Any) -> dict[str, Any]:
    return {
        "alert": alert,
        "look": places.look_at(alert),
        "is_on": is_on(alert, now),
        "has_expired": alert.expires_at <= now,
        "is_watched": active_feeds().named(alert.feed) is not None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@of_riders
def new_alert(request: HttpRequest, feed: str, station_id: str) -> HttpResponse:
    """Show the form of an alert at a station, and take it."""
    station = _station(feed, station_id)
    contact = riders.contact_of(_owner(request))
    form = _form(request, station=station, zone=city_zone(station.contract))
    if request.method == "POST" and contact and _may_save(request, form):
        try:
            editing.create(form.instance, owner=_owner(request), now=clock.now())
        except editing.TooManyAlerts:
            form.add_error(None, _("You have as many alerts as we keep. Delete one first."))
        else:
            messages.success(request, _("You will be told by mail."))
            return redirect("stations:alerts")
    return _page(request, form, station=station, contact=contact)


@require_http_methods(["GET", "HEAD", "POST"])
@of_riders
def alert(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """Show one of the rider's alerts in its form, and change it."""
    found = get_object_or_404(Alert, id=alert_id, owner=_owner(request))
    station = Station.objects.filter(feed=found.feed, station_id=found.station_id).first()
    form = _form(request, station=station, zone=found.zone, instance=found)
    if request.method == "POST" and _may_save(request, form):
        editing.change(form.instance, now=clock.now())
        messages.success(request, _("The alert is saved."))
        return redirect("stations:alerts")
    return _page(request, form, station=station, contact=riders.contact_of(_owner(request)), known=found)


@require_POST
@of_riders
def pause_alert(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    """Pause an alert, or with `action=resume` let it go on."""
    try:
        if request.POST.get("action") == "resume":
            editing.resume(owner=_owner(request), alert_id=alert_id, now=clock.now())
            messages.success(request, _("The alert goes on."))
        else:
            editing.pause(owner=_owner(request), alert_id=alert_id)
            messages.success(request, _("The alert is paused."))
    except editing.AlertUnknown:
        raise Http404 from None
    return redirect("stations:alerts")


@require_POST
@of_riders
def delete_alert(request: HttpRequest, alert_id: UUID) -> HttpResponse:
    try:
        editing.delete(owner=_owner(request), alert_id=alert_id)
    except editing.AlertUnknown:
        raise Http404 from None
    messages.success(request, _("The alert is deleted."))
    return redirect("stations:alerts")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def stop_alert(request: HttpRequest, key: str) -> HttpResponse:
    """Ask whoever opens the link of a mail, and stop the alert by POST. It needs no sign-in."""
    alert_id = mail.stopped_by(key)
    if alert_id is None:
        raise Http404
    if request.method == "POST":
        editing.stop(alert_id)
    found = Alert.objects.filter(id=alert_id).first()
    return render(request, "stations/alerts/stop.html", {"alert": found, "is_stopped": found is None or found.paused})


def panel(request: HttpRequest, station: Station) -> dict[str, Any]:
    """Return what the station's page shows of alerts: the form for a rider, else a link to it."""
    if not riders.are_known() or station.gone or station.held:
        return {}
    if not request.user.is_authenticated:
        return {"offered": True}
    return {"offered": True, "form": AlertForm(station=station, zone=city_zone(station.contract), auto_id="alert_%s")}


def _owner(request: HttpRequest) -> str:
    return str(request.user.pk)


def _station(feed: str, station_id: str) -> Station:
    """Return a station. Raises Http404 if the site does not show it."""
    found = get_object_or_404(Station, feed=feed, station_id=station_id)
    if found.gone or found.held or not active_feeds().shows(found.feed, found.contract):
        raise Http404
    return found


def _form(request: HttpRequest, **given: Any) -> AlertForm:
    return AlertForm(request.POST if request.method == "POST" else None, **given)


def _may_save(request: HttpRequest, form: AlertForm) -> bool:
    """Return whether the form is right, and one of not too many. Each costs a look at its stations."""
    if not form.is_valid():
        return False
    try:
        count_alert(client=_owner(request), now=clock.now())
    except AlertsTooOften:
        form.add_error(None, _("Enough changes for the moment: try again in a minute."))
        return False
    return True


def _page(request: HttpRequest, form: AlertForm, **shown: Any) -> HttpResponse:
    context = {"form": form, **shown}
    return render(request, "stations/alerts/form.html", context, status=UNPROCESSABLE if form.is_bound else 200)
