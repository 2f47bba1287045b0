"""The admin pages for dead letters and ignored event types, with the actions that staff can take on them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus.admin.model_admin import COUNTED_MAX, EventAdmin, GroupFilter, ReadOnlyAdmin, TopicFilter, show_success
from eventbus.admin.selection import SelectionActions
from eventbus.consuming import ignored_types
from eventbus.models import DeadLetter, IgnoredType
from eventbus.repairs import dead_letters, redelivery
from eventbus.repairs.dead_letters import UNDO_DAYS, Decided
from eventbus.selections.row_ids import ID_DIGITS_MAX

KINDS_SHOWN_MAX = 10  # kinds of dead letters that the confirmation page lists: staff read no more lines
REDELIVERED_AT_ONCE_MAX = 1_000  # events of one request: each takes several statements while the page waits


@admin.register(DeadLetter)
class DeadLetterAdmin(SelectionActions, EventAdmin):
    list_display = ("id", "group", "topic", "type", "key", "attempts", "error_class", "died_at", "state", "request")
    list_filter = ("state", "request", GroupFilter, TopicFilter)
    actions = ("requeue", "discard", "restore")
    asked_first = ("discard",)

    @admin.action(description=_("Requeue: have them handled again"), permissions=["operate"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        count = queryset.count()
        text = ngettext(
            "Have %(count)d dead letter handled again?", "Have %(count)d dead letters handled again?", count
        )
        page = self._page(request, queryset, "requeue", text % {"count": count}, _("Requeue"))
        if page is None:
            asked = _decide(request, queryset, DeadLetter.Request.REQUEUE).asked
            text = ngettext("Asked to requeue %(count)d event.", "Asked to requeue %(count)d events.", len(asked))
            show_success(request, len(asked), text)
        return page

    @admin.action(description=_("Discard: let them go, and their keys go on"), permissions=["operate"])
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        count = queryset.count()
        text = ngettext("Let %(count)d dead letter go?", "Let %(count)d dead letters go?", count) % {"count": count}
        page = self._page(request, queryset, "discard", text, _("Discard"), **_behind(queryset))
        if page is None:
            decided = _decide(request, queryset, DeadLetter.Request.DISCARD, through=_through(request))
            asked = len(decided.asked)
            text = ngettext("Asked to discard %(count)d event.", "Asked to discard %(count)d events.", asked)
            if asked:
                messages.success(request, format_html("{} {}", text % {"count": asked}, self._undo(decided.decision)))
        return page

    @admin.action(description=_("Restore: undo a discard"), permissions=["operate"])
    def restore(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        count = queryset.count()
        text = ngettext("Restore %(count)d discarded event?", "Restore %(count)d discarded events?", count)
        page = self._page(request, queryset, "restore", text % {"count": count}, _("Restore"))
        if page is None:
            asked = _decide(request, queryset, DeadLetter.Request.RESTORE).asked
            text = ngettext("Asked to restore %(count)d event.", "Asked to restore %(count)d events.", len(asked))
            show_success(request, len(asked), text)
        return page

    def _page(
        self, request: HttpRequest, rows: QuerySet[DeadLetter], action: str, question: str, label: Any, **more: Any
    ) -> HttpResponse | None:
        counted = rows.order_by().values_list("group", "type", "error_class").annotate(count=Count("pk"))
        kinds = [
            f"{group}, {type_}, {error}: {count}"
            for group, type_, error, count in counted.order_by("-count", "group", "type")[:KINDS_SHOWN_MAX]
        ]
        return self.asks(request, rows, action=action, question=question, label=label, kinds=kinds, **more)

    def _undo(self, decision: int) -> str:
        """Return a link to the list of the dead letters that this decision discards. Staff can restore them there."""
        url = reverse("admin:eventbus_deadletter_changelist")
        text = _("Undo: choose “Restore” here, within %(days)d days.") % {"days": UNDO_DAYS}
        return format_html('<a href="{}?decision={}">{}</a>', url, decision, text)


def _behind(letters: QuerySet[DeadLetter]) -> dict[str, Any]:
    """Return the confirmation page's text about the events that are parked behind these dead letters."""
    count, last = dead_letters.behind(list(letters.values_list("pk", flat=True)[:COUNTED_MAX]))
    text = ngettext(
        "And the %(count)d event that is parked behind them",
        "And the %(count)d events that are parked behind them",
        count,
    )
    after = _("For %(days)d days you can restore them.") % {"days": UNDO_DAYS}
    return {"behind": text % {"count": count} if count else "", "through": last, "after": after}


def _through(request: HttpRequest) -> int | None:
    """Return the id of the last parked event that the page counted, or None if the user left parked events out."""
    text = request.POST.get("through", "")
    if "with_parked" not in request.POST or not text.isdecimal() or len(text) > ID_DIGITS_MAX:
        return None
    return int(text)


def _decide(
    request: HttpRequest, letters: QuerySet[DeadLetter], action: DeadLetter.Request, *, through: int | None = None
) -> Decided:
    ids = letters.values_list("pk", flat=True)[:COUNTED_MAX]
    decided = dead_letters.decide(ids, action, request.user.get_username(), through=through)
    if refused := decided.refused:
        text = ngettext("%(count)d was refused: %(why)s", "%(count)d were refused. The first: %(why)s", len(refused))
        messages.error(request, text % {"count": len(refused), "why": refused[0]})
    return decided


@admin.register(IgnoredType)
class IgnoredTypeAdmin(SelectionActions, ReadOnlyAdmin):
    list_display = ("group", "topic", "type", "partition", "events", "first_at", "last_at", "remedy")
    list_filter = (GroupFilter, TopicFilter)
    actions = ("redeliver", "dismiss")
    asked_first = ("dismiss",)

    @admin.display(description=_("what to do"))
    def remedy(self, row: IgnoredType) -> str:
        if ignored_types.handles(row.group, row.type):
            return str(_("Redeliver: the group handles this type now."))
        if ignored_types.is_known(row.type):
            return str(_("Nothing: the group leaves this type to others."))
        return str(_("Deploy the release that knows this type, then redeliver; or dismiss it."))

    @admin.action(description=_("Redeliver: have handled what was ignored of these types"), permissions=["operate"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[IgnoredType]) -> None:
        for group, type_ in sorted(set(queryset.order_by().values_list("group", "type"))):
            redeliver(request, group, types=[type_])

    @admin.action(description=_("Dismiss: these need not be handled"), permissions=["operate"])
    def dismiss(self, request: HttpRequest, queryset: QuerySet[IgnoredType]) -> HttpResponse | None:
        events = sum(queryset.values_list("events", flat=True))
        text = ngettext("Leave %(count)d event unhandled?", "Leave %(count)d events unhandled?", events)
        label = _("Dismiss")
        page = self.asks(request, queryset, action="dismiss", question=text % {"count": events}, label=label)
        if page is None:
            who, done = request.user.get_username(), 0
            for group, type_ in sorted(set(queryset.order_by().values_list("group", "type"))):
                done += ignored_types.forget(group, [type_], who)
            show_success(
                request, done, ngettext("%(count)d event is dismissed.", "%(count)d events are dismissed.", done)
            )
        return page


def redeliver(request: HttpRequest, group: str, **what: Any) -> None:
    """Redeliver to a group the events that it passed and never handled, and show staff the result."""
    who = request.user.get_username()
    try:
        found = redelivery.redeliver(group, **what, at_most=REDELIVERED_AT_ONCE_MAX, who=who)
    except redelivery.RedeliveryRefused as error:
        messages.error(request, str(error))
        return
    count = sum(found.types.values())
    if not count:
        nothing = _("Group %(group)s has passed nothing of that which is still in the outbox.")
        messages.warning(request, nothing % {"group": group})
    text = ngettext("Group %(group)s is handed %(count)d event.", "Group %(group)s is handed %(count)d events.", count)
    if count:
        messages.success(request, text % {"group": group, "count": count})
    if found.left:
        text = ngettext("%(count)d was left: ask again.", "%(count)d were left: ask again.", found.left)
        messages.warning(request, text % {"count": found.left})
