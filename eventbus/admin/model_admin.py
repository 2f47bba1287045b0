"""Base classes for the bus's lists and forms in the admin: read-only, and fast on big tables."""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce, wraps
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import actions
from django.core.paginator import Paginator
from django.db import router, transaction
from django.db.models import CharField, Model, Q, QuerySet, UUIDField, Value
from django.db.models.functions import Upper
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus.admin.roles import OPERATE, seen_by
from eventbus.database.storable_text import readable
from eventbus.errors import BusError
from eventbus.models import ConsumerGroup
from eventbus.operations import topic_setup
from eventbus.publishing import rejected_records

ASKED_AT_ONCE_MAX = 1_000  # rows of one action: each takes a transaction while the page waits
WORDS_MAX = 5  # words of one search: each word costs a scan of the table
MARK = '<img src="{}" alt="{}">'
COUNTED_MAX = 10_000  # rows a list counts: beyond a hundred pages a reader needs a filter


if TYPE_CHECKING:  # django-stubs declares them as generic; at run time they are not
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    BasePaginator = Paginator[Any]
else:
    ModelAdmin, TabularInline, BasePaginator = admin.ModelAdmin, admin.TabularInline, Paginator


Row = TypeVar("Row", bound=Model)

CharField.register_lookup(Upper)  # for lookups such as `sku__upper`; an annotation would use outer joins instead


@wraps(actions.delete_selected)
def delete_selected(model_admin: ModelAdmin, request: HttpRequest, chosen: QuerySet[Any]) -> Any:
    """Delete the selected rows as Django's action does, but in one transaction.

    If a deletion fails, the history entries that Django wrote before it are rolled back too.
    """
    with transaction.atomic(using=router.db_for_write(model_admin.model)):
        return actions.delete_selected(model_admin, request, chosen)


admin.site.add_action(delete_selected)


class BoundedPaginator(BasePaginator):
    """A paginator that counts at most COUNTED_MAX rows. A full count of a big table would slow its list down."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin gives nothing else
        return rows.order_by()[:COUNTED_MAX].count()

    @property
    def is_cut(self) -> bool:
        """True if there may be more rows than were counted."""
        return self.count >= COUNTED_MAX


class BigTable(ModelAdmin):
    """A list that stays fast, however long its table grows.

    It counts only as many rows as fill the pages that it offers. A subclass must sort by an index, and must have no
    filter that lists another table.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the whole table once for each filter
    looked_up_by: ClassVar[Sequence[str]] = ()  # compared with the whole text: ids, and texts with an UPPER index
    searched_in: ClassVar[Sequence[str]] = ()  # scanned for each word if `looked_up_by` finds no row

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (*self.looked_up_by, *self.searched_in) or tuple(super().get_search_fields(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not self.looked_up_by:
            return super().get_search_results(request, queryset, text)
        if not text:
            return queryset, False
        found = look_up(queryset, text, self.looked_up_by)
        if self.searched_in and not found.order_by().exists():
            found = self.search_words(queryset, text)
        return found, False

    def search_words(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return search_in(rows, text, self.searched_in)


def mark_column(field: str, description: Any) -> Callable[[Any, Any], str]:
    """Return an admin column that shows an icon in the rows whose field is true.

    Django's own column shows an icon in every row, a red one where the field is false.
    """

    @admin.display(description=description, ordering=field)
    def shown(_admin: Any, row: Any) -> str:
        return format_html(MARK, static("admin/img/icon-alert.svg"), _("Yes")) if getattr(row, field) else "–"

    return shown


def look_up(rows: QuerySet[Any], text: str, fields: Iterable[str]) -> QuerySet[Any]:
    """Return the rows in which one of the fields equals the whole text. Upper and lower case are the same.

    Each field has a query of its own, so that the database can use the index of that field.
    """
    every = rows.model._base_manager.order_by()
    found = [every.none().values("pk")]
    for path in fields:
        if isinstance(_field(rows.model, path), UUIDField):
            if (id := _uuid(text)) is not None:
                found.append(every.filter(**{path: id}).values("pk"))
        else:
            found.append(every.filter(**{f"{path}__upper": Upper(Value(text))}).values("pk"))
    return rows.filter(pk__in=found[0].union(*found[1:]))


def search_in(rows: QuerySet[Any], text: str, fields: Iterable[str]) -> QuerySet[Any]:
    """Return the rows in which each word of the text occurs in one of the fields.

    Only the first WORDS_MAX words count.
    """
    for word in text.split()[:WORDS_MAX]:
        rows = rows.filter(reduce(or_, (Q(**{f"{path}__icontains": word}) for path in fields)))
    return rows


def _field(model: type[Model], path: str) -> Any:
    name, _lookup, rest = path.partition("__")
    field = model._meta.get_field(name)
    return _field(field.related_model, rest) if rest else field  # type: ignore[arg-type]


class ReadOnly:
    """A mixin that forbids adding, changing and deleting by hand: the services write these rows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GroupFilter(admin.SimpleListFilter):
    """A filter by consumer group. It reads the names from the table of groups, not from the listed table."""

    title = _("consumer group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in ConsumerGroup.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(group=self.value()) if self.value() else queryset


class TopicFilter(admin.SimpleListFilter):
    """A filter by topic. It takes the names from `topic_setup`, not from the listed table."""

    title = _("topic")
    parameter_name = "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in topic_setup.topic_names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(topic=self.value()) if self.value() else queryset


class WayFilter(admin.SimpleListFilter):
    """A filter by the state of an outbox event: not sent yet, sent, rejected or withdrawn."""

    title = _("on its way")
    parameter_name = "way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("unsent", _("not sent yet")),
            ("sent", _("sent")),
            ("rejected", _("rejected by the log")),
            ("withdrawn", _("withdrawn by an operator")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "unsent":
            return queryset.filter(rejected_records.UNSENT)
        if self.value() == "sent":
            return queryset.filter(offset__isnull=False)
        if self.value() == "rejected":
            return queryset.filter(rejected_records.WAITS)
        return queryset.filter(rejected_records.WITHDRAWN) if self.value() == "withdrawn" else queryset


class ReadOnlyAdmin(ReadOnly, BigTable):
    """A read-only list that is fast on a big table. It withholds payloads from those who may not look into them."""

    ordering: ClassVar[tuple[str, ...]] = ("-id",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Allow actions to those who may operate the bus. The forms stay read-only."""
        return request.user.has_perm(OPERATE)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return seen_by(request, super().get_fields(request, obj))

    def get_list_display(self, request: HttpRequest) -> Any:
        return seen_by(request, super().get_list_display(request))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse filters by what the user may not see. Else a list tells a payload letter by letter."""
        return lookup.split("__") == seen_by(request, lookup.split("__")) and super().lookup_allowed(
            lookup, value, request
        )


class EventAdmin(ReadOnlyAdmin):
    """A list of events. Staff find an event by its id or its key, typed in full. No search scans for parts of words."""

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


def ask(request: HttpRequest, rows: QuerySet[Row], call: Callable[[Row, str], None]) -> int:
    """Call `call(row, user name)` for each row, and return the number of calls that succeeded.

    A call may refuse with a BusError. The page then shows the number of refusals and the first reason.
    """
    asked, refused = 0, []
    if (left := rows.count() - ASKED_AT_ONCE_MAX) > 0:
        text = ngettext("%(count)d was left: ask again.", "%(count)d were left: ask again.", left)
        messages.warning(request, text % {"count": left})
    for row in rows.order_by("pk")[:ASKED_AT_ONCE_MAX]:
        try:
            call(row, request.user.get_username())
            asked += 1
        except BusError as error:
            refused.append(error)
    if refused:
        text = ngettext("%(count)d was refused: %(why)s", "%(count)d were refused. The first: %(why)s", len(refused))
        messages.error(request, text % {"count": len(refused), "why": refused[0]})
    return asked


def show_success(request: HttpRequest, asked: int, text: str) -> None:
    """Show the text as a success message, unless `asked` is 0."""
    if asked:
        messages.success(request, text % {"count": asked})
