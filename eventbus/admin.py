"""The bus's tables for eyes only. One thing can be done: ask for dead letters to be requeued or discarded."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.apps import apps
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import operations
from eventbus.field_names import name_fields
from eventbus.models import (
    ConsumerGroup,
    DeadLetter,
    LeaseRow,
    OperatorAction,
    OutboxRow,
    ParkedEvent,
    ParkedKey,
    Progress,
    ReplayRun,
    Timer,
)
from eventbus.text import readable

COUNTED_MAX = 10_000  # rows a list counts: who needs more than a hundred pages needs a filter
LETTERS_AT_ONCE_MAX = 1_000  # each is a transaction while the page waits
EVENTS_SHOWN_MAX = 50  # of a parked key: thousands may wait behind its head

name_fields(apps.get_app_config("eventbus").get_models())

if TYPE_CHECKING:  # django-stubs knows them as generic, Django at run time does not
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    BasePaginator = Paginator[Any]
else:
    ModelAdmin, TabularInline, BasePaginator = admin.ModelAdmin, admin.TabularInline, Paginator


class BoundedPaginator(BasePaginator):
    """Counts COUNTED_MAX rows at most: a list of a big table stays as fast as its first page."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin gives nothing else
        return rows.order_by()[:COUNTED_MAX].count()


class ReadOnly:
    """Nothing is added, changed or deleted by hand: the bus relies on its tables."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GroupFilter(admin.SimpleListFilter):
    """By consumer group, without asking a big table which groups it holds."""

    title = _("consumer group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in ConsumerGroup.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(group=self.value()) if self.value() else queryset


class TopicFilter(admin.SimpleListFilter):
    """By topic, without asking a big table which topics it holds."""

    title = _("topic")
    parameter_name = "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in operations.topic_names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(topic=self.value()) if self.value() else queryset


class WayFilter(admin.SimpleListFilter):
    """By how far an event of the outbox is on its way."""

    title = _("on its way")
    parameter_name = "way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("unsent", _("not sent yet")), ("sent", _("sent")), ("refused", _("refused by the log"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "unsent":
            return queryset.filter(position__isnull=True, refused="")
        if self.value() == "sent":
            return queryset.filter(position__isnull=False)
        return queryset.exclude(refused="") if self.value() == "refused" else queryset


class Looked(ReadOnly, ModelAdmin):
    """A list that is fast on a big table."""

    paginator = BoundedPaginator
    show_full_result_count = False
    ordering: ClassVar[tuple[str, ...]] = ("-id",)


class CarriedAdmin(Looked):
    """Of a table that holds events. Found by event id or by key, each in full: nothing scans for parts of words."""

    search_fields = ("event_id", "key")
    search_help_text = _("An event’s id or a key, in full")
    exclude = ("payload",)
    readonly_fields = ("content",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("payload", "headers")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        event_id = _uuid(term)
        by_key = queryset.filter(key=term)
        return (by_key | queryset.filter(event_id=event_id) if event_id else by_key), False

    @admin.display(description=_("content"))
    def content(self, row: Any) -> str:
        return format_html("<pre>{}</pre>", readable(row.payload))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@admin.register(OutboxRow)
class OutboxRowAdmin(CarriedAdmin):
    list_display = ("id", "topic", "type", "key", "event_id", "created_at", "appended_at", "partition", "position")
    list_filter = (WayFilter, TopicFilter)
    sortable_by = ()  # by another column than the id, all rows would be sorted


@admin.register(Timer)
class TimerAdmin(CarriedAdmin):
    list_display = ("due", "topic", "type", "key", "event_id")
    list_filter = (TopicFilter,)
    ordering = ("due", "id")


@admin.register(ParkedEvent)
class ParkedEventAdmin(CarriedAdmin):
    list_display = ("id", "group", "topic", "type", "key", "event_id", "partition", "position")
    list_filter = (GroupFilter, TopicFilter)


class ParkedEventInline(ReadOnly, TabularInline):
    """The head and the first of those that wait behind it."""

    model = ParkedEvent
    fields = ("position", "type", "event_id", "content")
    readonly_fields = ("content",)
    show_change_link = True
    verbose_name_plural = _("the first of its parked events")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        key_id = request.resolver_match.kwargs["object_id"] if request.resolver_match else None
        first = ParkedEvent.objects.filter(parked_key_id=key_id)[:EVENTS_SHOWN_MAX]
        return super().get_queryset(request).filter(id__in=first.values("id"))

    @admin.display(description=_("content"))
    def content(self, row: ParkedEvent) -> str:
        return format_html("<pre>{}</pre>", readable(row.payload))


@admin.register(ParkedKey)
class ParkedKeyAdmin(Looked):
    list_display = ("group", "topic", "key", "state", "attempts", "crashes", "events_parked", "due_at", "error_class")
    list_filter = ("state", GroupFilter, TopicFilter)
    search_fields = ("key",)
    inlines = (ParkedEventInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        keys: QuerySet[Any] = super().get_queryset(request).annotate(parked=Count("events"))
        return keys

    @admin.display(description=_("parked events"))
    def events_parked(self, key: Any) -> int:
        return int(key.parked)

    @admin.display(description=_("error"))
    def error_class(self, key: ParkedKey) -> str:
        return key.error.partition(":")[0]


@admin.register(DeadLetter)
class DeadLetterAdmin(CarriedAdmin):
    list_display = ("id", "group", "topic", "type", "key", "attempts", "error_class", "died_at", "state", "request")
    list_filter = ("state", "request", GroupFilter, TopicFilter)
    actions = ("requeue", "discard")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change dead letters may decide about them; the form stays for reading."""
        return request.user.has_perm("eventbus.change_deadletter")

    @admin.action(description=_("Requeue: have them handled again"), permissions=["operate"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        asked = _ask(request, queryset, operations.request_requeue)
        text = ngettext("Asked to requeue %(count)d event.", "Asked to requeue %(count)d events.", asked)
        _tell(request, asked, text)

    @admin.action(description=_("Discard: let them go, and their keys go on"), permissions=["operate"])
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        asked = _ask(request, queryset, operations.request_discard)
        text = ngettext("Asked to discard %(count)d event.", "Asked to discard %(count)d events.", asked)
        _tell(request, asked, text)


def _ask(request: HttpRequest, queryset: QuerySet[DeadLetter], wish: Callable[[DeadLetter, str], None]) -> int:
    """How many were asked for; the others are told of, with why not."""
    asked, refused = 0, []
    for letter in queryset.order_by("id")[:LETTERS_AT_ONCE_MAX]:
        try:
            wish(letter, request.user.get_username())
            asked += 1
        except operations.Refused as error:
            refused.append(error)
    if refused:
        text = ngettext("%(count)d was refused: %(why)s", "%(count)d were refused. The first: %(why)s", len(refused))
        messages.error(request, text % {"count": len(refused), "why": refused[0]})
    return asked


def _tell(request: HttpRequest, asked: int, text: str) -> None:
    if asked:
        messages.success(request, text % {"count": asked})


@admin.register(OperatorAction)
class OperatorActionAdmin(Looked):
    list_display = ("at", "who", "action", "group", "type", "key", "event_id")
    list_filter = ("action", GroupFilter)
    search_fields = ("who", "key")


@admin.register(ReplayRun)
class ReplayRunAdmin(Looked):
    list_display = ("id", "group", "state", "began_at", "ended_at", "matched", "handled", "who")
    list_filter = ("state", GroupFilter)


@admin.register(Progress)
class ProgressAdmin(Looked):
    list_display = (
        *("group", "topic", "partition", "position", "handled", "ignored", "discarded"),
        *("epoch", "running_event", "crashes"),
    )
    list_filter = (GroupFilter, TopicFilter)
    ordering = ("group", "topic", "partition")


@admin.register(ConsumerGroup)
class ConsumerGroupAdmin(Looked):
    list_display = ("name", "created_at")
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(LeaseRow)
class LeaseRowAdmin(Looked):
    list_display = ("name", "owner", "beat", "epoch")
    ordering = ("name",)
