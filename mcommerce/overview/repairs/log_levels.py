"""The page on which an administrator sets the level of a logger for some minutes, and the form that ends one."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from eventbus.admin.roles import ADMINISTER
from eventbus.models import LogLevel
from eventbus.operations import heartbeats, log_levels
from mcommerce.overview.frame import MAY_SEE_PROCESSES, context_of, for_staff

LOGGERS = (log_levels.ROOT, "eventbus", "mcommerce", "stations", "django")
TAB = "bus-processes"


class LogLevelForm(forms.Form):
    """The choice of a logger, its level, and the process; all processes without one."""

    logger = forms.ChoiceField(label=gettext_lazy("Logger"), choices=[(one, one) for one in LOGGERS])
    level = forms.ChoiceField(label=gettext_lazy("Level"), choices=[(one, one) for one in LogLevel.Level.values])
    process = forms.ChoiceField(label=gettext_lazy("Process"), required=False)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.names = {str(one.id): f"{one.role} {one.host}/{one.pid}" for one in heartbeats.processes()}
        every = [("", gettext_lazy("all processes")), *self.names.items()]
        self.fields["process"].choices = every  # type: ignore[attr-defined]  # of a ChoiceField

    def set_level(self, who: str) -> None:
        """Set the level of a valid form."""
        chosen = self.cleaned_data["process"]
        log_levels.set_level(
            self.cleaned_data["logger"],
            self.cleaned_data["level"],
            who,
            process=UUID(chosen) if chosen else None,
            about=self.names.get(chosen, "all"),
        )


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(MAY_SEE_PROCESSES, ADMINISTER)
def set_log_level(request: HttpRequest) -> HttpResponse:
    """Let an administrator choose a level, and by POST set it. The audit trail names who did."""
    form = LogLevelForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            form.set_level(request.user.get_username())
        except log_levels.LogLevelRefused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("Each process follows within ten seconds."))
            return redirect(TAB)
    context = {**context_of(request, TAB), "title": _("Set a log level"), "form": form, "minutes": log_levels.MINUTES}
    return render(request, "overview/log_level.html", context)


@require_POST
@for_staff(MAY_SEE_PROCESSES, ADMINISTER)
def end_log_level(request: HttpRequest, log_level: int) -> HttpResponse:
    """End a log level before its time."""
    try:
        log_levels.end(log_level, request.user.get_username())
    except log_levels.LogLevelRefused as refused:
        messages.warning(request, str(refused))
    return redirect(TAB)
