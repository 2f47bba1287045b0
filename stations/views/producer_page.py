"""The producer's page: the plans of the feeds, the log of polls, and the remark box."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from eventbus import clock
from stations.feeds.active_feeds import feed_names
from stations.forms import PlanForm, RemarkForm
from stations.limits import RemarksTooOften, network_of
from stations.live.feed_health import feeds_remembered
from stations.live.status_frames import REMARKS_SHOWN, poll_key
from stations.models import PollPlan, PollRun, Remark
from stations.services import poll_schedule, recording, remark_box
from stations.sockets.admission import MODERATE, STEER, WATCH, may_produce
from stations.views.stations import feeds_told, show_dashboard

POLLS_SHOWN = 30  # when the page is opened; it keeps up to 60 (producer.js)

View = Callable[..., HttpResponse]


def for_producers(permission: str) -> Callable[[View], View]:
    """Restrict a view to users with the permission. Anonymous visitors must sign in first."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if may_produce(request.user, permission):
                return view(request, *args, **kwargs)
            if request.user.is_authenticated:
                raise PermissionDenied
            return redirect_to_login(request.get_full_path())

        return guarded

    return guard


@require_safe
@for_producers(WATCH)
def page(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
@for_producers(STEER)
def steer(request: HttpRequest, feed: str) -> HttpResponse:
    """Start or stop polling a feed. A start sets the interval and the number of calls."""
    if feed not in feed_names():
        raise Http404
    if request.POST.get("action") == "stop":
        _steer(request, feed, running=False)
        return _done(request, _("Stopped. The state of the stations stays as it is."))
    form = PlanForm(request.POST, plan=poll_schedule.plan_of(feed, now=clock.now()))
    if form.is_valid() and _started(request, form, feed):
        return _done(request, _("Started."))
    return _refused(request, form, plan_forms={feed: form})


@require_POST
def leave_remark(request: HttpRequest) -> HttpResponse:
    """Take a remark from anybody, while the box is open."""
    form = RemarkForm(request.POST)
    try:
        if form.is_valid() and _left(form, client=_client(request)):
            return _done(request, _("Your remark is shown to all who look."))
    except RemarksTooOften as often:
        form.add_error(None, _("Enough remarks for the moment: try again in a minute."))
        answer = _refused(request, form, status=429, remark_form=form)
        answer["Retry-After"] = str(often.retry_after)
        return answer
    except remark_box.RemarksClosed:
        form.add_error(None, _("The remark box is closed."))
        return _refused(request, form, status=403, remark_form=form)
    return _refused(request, form, remark_form=form)


@require_POST
@for_producers(MODERATE)
def switch_remarks(request: HttpRequest) -> HttpResponse:
    """Close the remark box, or open it again."""
    to_open = request.POST.get("action") == "open"
    _log(request, remark_box.switch(to_open=to_open, now=clock.now()), _("Opened.") if to_open else _("Closed."))
    return _done(request, _("Everybody may leave a remark.") if to_open else _("Nobody may leave a remark."))


def _started(request: HttpRequest, form: PlanForm, feed: str) -> bool:
    wanted = form.cleaned_data
    try:
        _steer(request, feed, running=True, interval_ms=wanted["interval_ms"], calls=wanted["calls"])
    except poll_schedule.IntervalOutOfRange as limits:
        allowed = {"min": limits.minimum_ms, "max": limits.maximum_ms}
        form.add_error("interval_ms", _("The interval is from %(min)s to %(max)s.") % allowed)
    except poll_schedule.CallsOutOfRange:
        form.add_error("calls", _("The number of calls is from 0 to %(max)s.") % {"max": poll_schedule.CALLS_MAX})
    return not form.errors


def _left(form: RemarkForm, *, client: str) -> bool:
    try:
        recording.leave_remark(
            name=form.cleaned_data["name"], message=form.cleaned_data["message"], client=client, now=clock.now()
        )
    except recording.RemarkEmpty:
        form.add_error("message", _("A remark needs words."))
    except recording.RemarkTooLong:
        form.add_error("message", _("This is too long."))
    return not form.errors


@transaction.atomic
def _steer(request: HttpRequest, feed: str, **wanted: Any) -> None:
    """Change the plan and log who did it: both happen, or neither."""
    _record(request, poll_schedule.steer(feed=feed, now=clock.now(), **wanted))


def _record(request: HttpRequest, steered: PollPlan) -> None:
    """Log the change and its user in the plan's admin history. In a demonstration nobody need be signed in."""
    if request.user.is_authenticated:
        words = {"ms": steered.interval_ms, "calls": steered.calls_left}
        said = _("Started: every %(ms)s ms, %(calls)s calls (0: until stopped).") % words
        _log(request, steered, said if steered.running else _("Stopped."))


def _log(request: HttpRequest, changed: Model, said: str) -> None:
    """Write who changed it into its admin history."""
    if request.user.is_authenticated:
        LogEntry.objects.log_actions(request.user.pk, [changed], CHANGE, change_message=said, single_object=True)


def _client(request: HttpRequest) -> str:
    """Return the remark's author: an account, or the visitor's network."""
    return str(request.user.pk or network_of(request.META.get("REMOTE_ADDR", "")))


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _done(request: HttpRequest, told: str) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"message": told})
    messages.success(request, told)
    return redirect("stations:producer" if may_produce(request.user) else "stations:dashboard")


def _refused(request: HttpRequest, form: Form, *, status: int = 400, **forms: Any) -> HttpResponse:
    if _wants_json(request):
        return JsonResponse({"errors": form.errors}, status=status)
    if may_produce(request.user):
        return _page(request, status=status, **forms)
    return show_dashboard(request, status=status, **forms)


def _last_polls() -> QuerySet[PollRun]:
    return PollRun.objects.filter(feed__in=feed_names()).order_by("-started")[:POLLS_SHOWN]


def _page(
    request: HttpRequest,
    *,
    status: int = 200,
    plan_forms: dict[str, PlanForm] | None = None,
    remark_form: RemarkForm | None = None,
) -> HttpResponse:
    plans = [poll_schedule.plan_of(feed, now=clock.now()) for feed in feed_names()]
    context = {
        "plans": [{"plan": one, "form": (plan_forms or {}).get(one.feed) or PlanForm(plan=one)} for one in plans],
        "remark_form": remark_form or RemarkForm(),
        "may_steer": may_produce(request.user, STEER),
        "may_moderate": may_produce(request.user, MODERATE),
        "box_is_open": remark_box.is_open(),
        "polls": [(poll_key(poll.feed, poll.started), poll) for poll in _last_polls()],
        "feeds": feeds_told(feeds_remembered()),
        "remarks": Remark.objects.order_by("-at")[:REMARKS_SHOWN],
    }
    return render(request, "stations/producer.html", context, status=status)
