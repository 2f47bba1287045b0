"""What the lists and forms of the bus at the desk have in common: for eyes only, and fast on big tables."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import provisioning, refusals
from eventbus.errors import BusError
from eventbus.models import ConsumerGroup
from eventbus.text import readable

ASKED_AT_ONCE_MAX = 1_000  # each is a transaction while the page waits
COUNTED_MAX = 10_000  # rows a list counts: who needs more than a hundred pages needs a filter


if TYPE_CHECKING:  # django-stubs knows them as generic, Django at run time does not
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    BasePaginator = Paginator[Any]
else:
    ModelAdmin, TabularInline, BasePaginator = admin.ModelAdmin, admin.TabularInline, Paginator


Row = TypeVar("Row", bound=Model)


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
        return [(name, name) for name in provisioning.topic_names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(topic=self.value()) if self.value() else queryset


class WayFilter(admin.SimpleListFilter):
    """By how far an event of the outbox is on its way."""

    title = _("on its way")
    parameter_name = "way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("unsent", _("not sent yet")),
            ("sent", _("sent")),
            ("refused", _("refused by the log")),
            ("withdrawn", _("withdrawn by an operator")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "unsent":
            return queryset.filter(refusals.UNSENT)
        if self.value() == "sent":
            return queryset.filter(position__isnull=False)
        if self.value() == "refused":
            return queryset.filter(refusals.WAITS)
        return queryset.filter(refusals.WITHDRAWN) if self.value() == "withdrawn" else queryset


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


def ask(request: HttpRequest, rows: QuerySet[Row], wish: Callable[[Row, str], None]) -> int:
    """Wish it for each, in the name of who asks. How many were asked for; the others are told of, with why not."""
    asked, refused = 0, []
    for row in rows.order_by("pk")[:ASKED_AT_ONCE_MAX]:
        try:
            wish(row, request.user.get_username())
            asked += 1
        except BusError as error:
            refused.append(error)
    if refused:
        text = ngettext("%(count)d was refused: %(why)s", "%(count)d were refused. The first: %(why)s", len(refused))
        messages.error(request, text % {"count": len(refused), "why": refused[0]})
    return asked


def tell(request: HttpRequest, asked: int, text: str) -> None:
    """What was asked for, if anything was."""
    if asked:
        messages.success(request, text % {"count": asked})
