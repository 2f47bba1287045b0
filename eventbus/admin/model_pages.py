"""The bus in the admin: read-only tables, and the actions of staff, such as resending events and pausing groups."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from eventbus.admin.dead_letters import DeadLetterAdmin, IgnoredTypeAdmin, redeliver
from eventbus.admin.model_admin import (
    EventAdmin,
    GroupFilter,
    ReadOnly,
    ReadOnlyAdmin,
    TabularInline,
    TopicFilter,
    WayFilter,
    ask,
    show_success,
)
from eventbus.admin.roles import seen_by
from eventbus.admin.selection import SelectionActions
from eventbus.database.storable_text import ranged, readable
from eventbus.models import (
    ConsumerGroup,
    Divergence,
    ForgottenSpan,
    LeaseRow,
    OperatorAction,
    OutboxRow,
    ParkedEvent,
    ParkedKey,
    ProcessRow,
    Progress,
    ReplayRun,
    Timer,
    UntrustedRecord,
)
from eventbus.operations import heartbeats, pausing
from eventbus.publishing import rejected_records
from eventbus.repairs import untrusted_records

EVENTS_SHOWN_MAX = 50  # events shown of a parked key: thousands may wait behind its head

__all__ = ["DeadLetterAdmin", "IgnoredTypeAdmin"]  # they register themselves


@admin.register(OutboxRow)
class OutboxRowAdmin(SelectionActions, EventAdmin):
    list_display = ("id", "topic", "type", "key", "event_id", "created_at", "appended_at", "partition", "offset")
    list_filter = (WayFilter, TopicFilter)
    sortable_by = ()  # by another column than the id, all rows would be sorted
    actions = ("resend", "withdraw")
    asked_first = ("withdraw",)

    @admin.action(description=_("Resend: offer what the log rejected to it again"), permissions=["operate"])
    def resend(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> HttpResponse | None:
        count = queryset.count()
        question = ngettext("Offer %(count)d event again?", "Offer %(count)d events again?", count)
        question %= {"count": count}
        if page := self.asks(request, queryset, action="resend", question=question, label=_("Resend")):
            return page
        asked = ask(request, queryset, rejected_records.resend)
        text = ngettext("%(count)d event is offered again.", "%(count)d events are offered again.", asked)
        show_success(request, asked, text)
        return None

    @admin.action(description=_("Withdraw: never tell what the log rejected"), permissions=["operate"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[OutboxRow]) -> HttpResponse | None:
        count = queryset.count()
        question = ngettext("Never tell %(count)d event to anybody?", "Never tell %(count)d events to anybody?", count)
        question %= {"count": count}
        after = _("This cannot be undone.")
        if page := self.asks(request, queryset, action="withdraw", question=question, label=_("Withdraw"), after=after):
            return page
        asked = ask(request, queryset, rejected_records.withdraw)
        show_success(
            request, asked, ngettext("%(count)d event is withdrawn.", "%(count)d events are withdrawn.", asked)
        )
        return None


@admin.register(Timer)
class TimerAdmin(EventAdmin):
    list_display = ("due", "topic", "type", "key", "event_id")
    list_filter = (TopicFilter,)
    ordering = ("due", "id")


@admin.register(ParkedEvent)
class ParkedEventAdmin(EventAdmin):
    list_display = ("id", "group", "topic", "type", "key", "event_id", "partition", "offset")
    list_filter = (GroupFilter, TopicFilter)


class ParkedEventInline(ReadOnly, TabularInline):
    """The first events of a parked key: the failed event at its head, and events that wait behind it."""

    model = ParkedEvent
    fields = ("offset", "type", "event_id", "content")
    readonly_fields = ("content",)
    show_change_link = True
    verbose_name_plural = _("the first of its parked events")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        key_id = request.resolver_match.kwargs["object_id"] if request.resolver_match else None
        first = ParkedEvent.objects.filter(parked_key_id=key_id)[:EVENTS_SHOWN_MAX]
        return super().get_queryset(request).filter(id__in=first.values("id"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return seen_by(request, self.fields)

    @admin.display(description=_("content"))
    def content(self, row: ParkedEvent) -> str:
        return format_html("<pre>{}</pre>", readable(row.payload))


@admin.register(ParkedKey)
class ParkedKeyAdmin(ReadOnlyAdmin):
    list_display = ("group", "topic", "key", "state", "attempts", "crashes", "events_parked", "due_at", "error_class")
    list_filter = ("state", GroupFilter, TopicFilter)
    search_fields = ("key",)
    inlines = (ParkedEventInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # A subquery counts only for the rows shown. A join with GROUP BY would count for all keys.
        events = ParkedEvent.objects.order_by().filter(parked_key=OuterRef("pk")).values("parked_key")
        keys: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(parked=Coalesce(Subquery(events.annotate(count=Count("pk")).values("count")), 0))
        )
        return keys

    @admin.display(description=_("parked events"))
    def events_parked(self, key: Any) -> int:
        return int(key.parked)

    @admin.display(description=_("error"))
    def error_class(self, key: ParkedKey) -> str:
        return key.error.partition(":")[0]


@admin.register(UntrustedRecord)
class UntrustedRecordAdmin(SelectionActions, ReadOnlyAdmin):
    list_display = ("id", "group", "topic", "partition", "offset", "type", "key", "source", "seen_at")
    list_filter = (GroupFilter, TopicFilter)
    actions = ("dismiss",)

    @admin.action(description=_("Dismiss: they were seen"), permissions=["operate"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[UntrustedRecord]) -> None:
        asked = ask(request, queryset, untrusted_records.dismiss)
        show_success(
            request, asked, ngettext("%(count)d record is dismissed.", "%(count)d records are dismissed.", asked)
        )


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    list_display = ("at", "who", "action", "count", "group", "type", "key", "event_id", "selection")
    list_filter = ("action", GroupFilter)
    search_fields = ("who", "key")


@admin.register(ReplayRun)
class ReplayRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "group", "state", "began_at", "moved_at", "ended_at", "matched", "handled", "who")
    list_filter = ("state", GroupFilter)


@admin.register(Progress)
class ProgressAdmin(ReadOnlyAdmin):
    list_display = (
        *("group", "topic", "partition", "offset", "handled", "ignored", "discarded"),
        *("epoch", "running_event", "crashes"),
    )
    list_filter = (GroupFilter, TopicFilter)
    ordering = ("group", "topic", "partition")


@admin.register(ConsumerGroup)
class ConsumerGroupAdmin(SelectionActions, ReadOnlyAdmin):
    list_display = ("name", "state", "since", "paused_by", "breaker_reason", "created_at")
    search_fields = ("name",)
    ordering = ("name",)
    actions = ("pause", "resume", "redeliver")

    @admin.display(description=_("state"))
    def state(self, group: ConsumerGroup) -> str:
        if group.paused_at is not None:
            return str(pgettext_lazy("group", "paused"))
        return str(
            pgettext_lazy("group", "circuit breaker open")
            if group.breaker_opened_at is not None
            else pgettext_lazy("group", "flows")
        )

    @admin.display(description=_("since"))
    def since(self, group: ConsumerGroup) -> datetime | None:
        return group.paused_at or group.breaker_opened_at

    @admin.action(description=_("Pause: let them stand still until they are resumed"), permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[ConsumerGroup]) -> None:
        asked = ask(request, queryset, pausing.pause)
        show_success(request, asked, ngettext("%(count)d group is paused.", "%(count)d groups are paused.", asked))

    @admin.action(
        description=_("Resume: let paused groups and those with an open circuit breaker go on"), permissions=["operate"]
    )
    def resume(self, request: HttpRequest, queryset: QuerySet[ConsumerGroup]) -> None:
        asked = ask(request, queryset, pausing.resume)
        show_success(request, asked, ngettext("%(count)d group goes on.", "%(count)d groups go on.", asked))

    @admin.action(description=_("Redeliver: have handled what is lost for them"), permissions=["operate"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[ConsumerGroup]) -> None:
        for group in queryset.order_by("name"):
            redeliver(request, group.name, lost=True)


@admin.register(Divergence)
class DivergenceAdmin(ReadOnlyAdmin):
    """A list that holds one row while a restored database differs from the log.

    `manage.py eventbus restored` shows the differences and repairs them.
    """

    list_display = ("noted_at", "topic", "partition", "offset", "type", "key", "event_id")
    ordering = ("name",)


@admin.register(ForgottenSpan)
class ForgottenSpanAdmin(ReadOnlyAdmin):
    list_display = ("topic", "partition", "begin", "end", "events", "last", "noted_at")


@admin.register(LeaseRow)
class LeaseRowAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "beat", "epoch")
    ordering = ("name",)


@admin.register(ProcessRow)
class ProcessRowAdmin(ReadOnlyAdmin):
    list_display = ("role", "host", "pid", "state_now", "began_at", "beat_at", "reads")
    ordering = ("role", "host", "pid")

    @admin.display(description=_("state"), ordering="state")
    def state_now(self, row: ProcessRow) -> str:
        """Return the state of the process's last heartbeat, or "silent" if that heartbeat is too old."""
        return str(pgettext_lazy("process", "silent") if heartbeats.is_silent(row) else row.get_state_display())

    @admin.display(description=_("partitions that it reads"))
    def reads(self, row: ProcessRow) -> str:
        return "; ".join(f"{group}: {ranged(partitions)}" for group, partitions in row.assignment.items())
