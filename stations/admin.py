"""The admin pages of the stations. Staff can delete only remarks: everything else comes from feeds and pollers."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from eventbus.admin.model_admin import BigTable, ReadOnly, mark_column
from stations.feeds import cities
from stations.models import PollPlan, PollRun, Remark, Station, StationHistory
from stations.services import recording, search

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


@admin.register(Station)
class StationAdmin(ReadOnly, BigTable):
    list_display = ("feed", "station_id", "name", "contract", "status", "bad", "bikes", "stands", "left", "changed_at")
    list_display_links = ("station_id", "name")
    list_filter = (FeedFilter, StatusFilter, "gone", ContractFilter)
    search_fields = ("search",)
    left = mark_column("gone", _("gone"))
    ordering = ("feed", "station_id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Station], search_term: str
    ) -> tuple[QuerySet[Station], bool]:
        return search.found(queryset, search_term), False


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
