"""What staff sees of the stations. Only remarks can be deleted: the rest is what feeds and pollers said."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from eventbus.desk import BigTable
from stations import searching, services
from stations.models import PollPlan, PollRun, Remark, Station, StationHistory


class SeenOnly(BigTable):
    """Can be looked at, not touched."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Station)
class StationAdmin(SeenOnly):
    list_display = ("source", "contract", "number", "name", "status", "bad", "bikes", "stands", "gone", "changed_at")
    list_display_links = ("number", "name")
    list_filter = ("source", "status", "gone", "contract")
    search_fields = ("search",)
    ordering = ("source", "contract", "number")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Station], search_term: str
    ) -> tuple[QuerySet[Station], bool]:
        return searching.found(queryset, search_term), False


@admin.register(StationHistory)
class StationHistoryAdmin(SeenOnly):
    list_display = ("at", "contract", "number", "version", "kinds", "taken", "returned", "bikes", "stands")
    ordering = ("-at",)


@admin.register(PollRun)
class PollRunAdmin(SeenOnly):
    list_display = ("started", "feed", "outcome", "fetched", "changed", "appeared", "gone", "ms", "reason")
    list_filter = ("feed", "outcome")
    ordering = ("-started",)


@admin.register(PollPlan)
class PollPlanAdmin(SeenOnly):
    list_display = ("feed", "running", "interval_ms", "calls_left", "changed_at")


@admin.register(Remark)
class RemarkAdmin(SeenOnly):
    list_display = ("at", "name", "message")
    search_fields = ("name", "message")
    ordering = ("-at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("stations.delete_remark"))

    def delete_model(self, request: HttpRequest, obj: Remark) -> None:
        services.delete_remarks([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Remark]) -> None:
        services.delete_remarks(queryset.values_list("pk", flat=True))
