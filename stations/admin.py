"""The admin pages of the stations. Staff can delete only remarks: everything else comes from feeds and pollers."""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from eventbus import clock
from eventbus.admin.model_admin import BigTable, ReadOnly, mark_column
from stations.feeds import cities
from stations.feeds.quarantine import Hold
from stations.models import PollPlan, PollRun, Remark, RemarkBox, Station, StationHistory, StationRuling
from stations.services import recording, rulings, search

RULED_AT_ONCE_MAX = 1_000  # stations of one action: each takes some milliseconds while the page waits
BUTTON = (
    '<button type="submit" class="button" name="{name}" value="{row_id}" aria-label="{does}: {row}">{does}</button>'
)
ANY_REASON = "any"  # of the filter by quarantine
STATUSES = ("OPEN", "CLOSED", "UNKNOWN")  # the words of real feeds, and the one stored when a feed gives none


class ColumnFilter(admin.SimpleListFilter):
    """A filter by one column's value. Its choices come from no query of the listed table, which may be big."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class StatusFilter(ColumnFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, status) for status in STATUSES]


class ContractFilter(ColumnFilter):
    title = _("contract")
    parameter_name = "contract"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(contract.name, contract.name) for contract in cities.LIVE]


class FeedFilter(ColumnFilter):
    """A filter by feed. Its choices come from the poll plans: every feed that is or was polled has one."""

    title = _("feed")
    parameter_name = "feed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(feed, feed) for feed in PollPlan.objects.order_by("feed").values_list("feed", flat=True)]


class HeldFilter(ColumnFilter):
    """A filter by the reason to hold a station, and one for all that are held."""

    title = _("quarantine")
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(ANY_REASON, str(_("held"))), *((reason.value, gettext(reason.value)) for reason in Hold)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.exclude(held="") if self.value() == ANY_REASON else super().queryset(request, queryset)


@admin.register(Station)
class StationAdmin(ReadOnly, BigTable):
    list_display = ("feed", "station_id", "name", "contract", "status", "held", "bad", "bikes", "left", "changed_at")
    rule_buttons = {"hold_one": True, "release_one": False}  # by the button's name: whether the station is held then
    list_display_links = ("station_id", "name")
    list_filter = (FeedFilter, HeldFilter, StatusFilter, "gone", ContractFilter)
    actions = ("hold", "release")
    search_fields = ("search",)
    left = mark_column("gone", _("gone"))
    ordering = ("feed", "station_id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Station], search_term: str
    ) -> tuple[QuerySet[Station], bool]:
        return search.found(queryset, search_term), False

    def has_rule_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("stations.rule_station"))

    @admin.action(description=_("Hold: keep them apart from the stations for riders"), permissions=["rule"])
    def hold(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        self._rule(request, list(queryset[:RULED_AT_ONCE_MAX]), held=True)

    @admin.action(description=_("Release: show them to riders, whatever their rows look like"), permissions=["rule"])
    def release(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        self._rule(request, list(queryset[:RULED_AT_ONCE_MAX]), held=False)

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*self.list_display, "button") if self.has_rule_permission(request) else self.list_display

    @admin.display(description=_("one click"))
    def button(self, row: Station) -> str:
        """Return a button that holds or releases this station. The one that takes its place undoes it."""
        name, does = ("release_one", _("Release")) if row.held else ("hold_one", _("Hold"))
        return format_html(BUTTON, name=name, row_id=row.pk, does=does, row=row)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        pressed = next((name for name in self.rule_buttons if name in request.POST), None)
        if pressed is None:
            return super().changelist_view(request, extra_context)
        if not self.has_rule_permission(request):
            raise PermissionDenied
        row = self.get_object(request, request.POST[pressed])
        self._rule(request, [row] if row else [], held=self.rule_buttons[pressed])
        return HttpResponseRedirect(request.get_full_path())

    def _rule(self, request: HttpRequest, chosen: list[Station], *, held: bool) -> None:
        words = Hold.BY_HAND.value if held else "released by staff"
        who = cast(UUID, request.user.pk)  # the actions need a permission
        with transaction.atomic():
            decided = [rulings.rule(station=one.pk, held=held, by=str(who), now=clock.now()) for one in chosen]
            LogEntry.objects.log_actions(who, chosen, CHANGE, change_message=words)
        count = sum(decided)
        told = ngettext("%(count)d station is held.", "%(count)d stations are held.", count)
        freed = ngettext("%(count)d station is released.", "%(count)d stations are released.", count)
        messages.success(request, (told if held else freed) % {"count": count})


@admin.register(StationRuling)
class StationRulingAdmin(ReadOnly, BigTable):
    list_display = ("at", "feed", "station_id", "held", "by")
    ordering = ("feed", "station_id")


@admin.register(StationHistory)
class StationHistoryAdmin(ReadOnly, BigTable):
    list_display = ("at", "feed", "station_id", "version", "kinds", "taken", "returned", "bikes", "stands")
    ordering = ("-at",)


@admin.register(PollRun)
class PollRunAdmin(ReadOnly, BigTable):
    list_display = ("started", "feed", "outcome", "fetched", "changed", "appeared", "gone", "ms", "reason")
    list_filter = (FeedFilter, "outcome")
    ordering = ("-started",)


@admin.register(PollPlan)
class PollPlanAdmin(ReadOnly, BigTable):
    list_display = ("feed", "running", "interval_ms", "calls_left", "changed_at")


@admin.register(RemarkBox)
class RemarkBoxAdmin(ReadOnly, BigTable):
    list_display = ("is_open", "changed_at")


@admin.register(Remark)
class RemarkAdmin(ReadOnly, BigTable):
    list_display = ("at", "name", "message")
    search_fields = ("name", "message")
    ordering = ("-at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("stations.delete_remark"))

    def delete_model(self, request: HttpRequest, obj: Remark) -> None:
        recording.delete_remarks([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Remark]) -> None:
        recording.delete_remarks(queryset.values_list("pk", flat=True))
