"""The decisions of staff about one order: when each is possible, its effects, and the service that does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mcommerce.money.template_filters import money
from mcommerce.orders import access
from mcommerce.orders.forms import PiecesForm, SentForm
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, refunds, returns

Text = str | Promise
State = Order.State


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A button on an order's page in the admin."""

    name: str  # in its URL
    label: Text
    permission: str
    possible: Callable[[Order], bool]
    effects: Callable[[Order], list[str]]  # whole sentences in the reader's language
    decide: Callable[..., bool]  # takes order, by, now and the form's answers; returns whether it was done
    form: type[forms.Form] = forms.Form
    then: Text = ""  # where the outcome will stand, when it is known later


# --- when it is possible -------------------------------------------------------------------------------------------


def _is(*states: Order.State) -> Callable[[Order], bool]:
    return lambda order: order.state in states


def _has_failed_refund(order: Order) -> bool:
    return order.refunds.filter(state=Refund.State.FAILED).exists()


# --- what will happen ----------------------------------------------------------------------------------------------


def _if_cancelled(order: Order) -> list[str]:
    return [
        gettext("The order is cancelled, for good."),
        gettext("These pieces can be sold again: %(pieces)s.") % {"pieces": _pieces(order)},
        *(_if_paid_is_cancelled(order) if order.state == State.PAID else _if_unpaid_is_cancelled(order)),
    ]


def _if_paid_is_cancelled(order: Order) -> list[str]:
    money_says = [_goes_back(order), _mail_about_money()] if order.total else []
    return [*money_says, _mail(order, gettext("that it is cancelled"))]


def _if_unpaid_is_cancelled(order: Order) -> list[str]:
    return [
        gettext("It cannot be paid any more. Money that comes all the same goes back."),
        gettext("%(address)s gets a mail, unless one about an unpaid order went there today.")
        % {"address": order.email},
    ]


def _if_shipped(order: Order) -> list[str]:
    return [
        gettext("These pieces leave the house: %(pieces)s.") % {"pieces": _pieces(order)},
        gettext("The order cannot be cancelled any more, only refunded."),
        _mail(order, gettext("that it is on its way, with carrier and tracking number")),
    ]


def _if_delivered(order: Order) -> list[str]:
    return [gettext("The order counts as delivered. Nobody gets a mail.")]


def _if_refunded(order: Order) -> list[str]:
    return [
        _goes_back(order),
        gettext("The order stays “%(state)s”; its page says where the money is.")
        % {"state": order.get_state_display()},
        _mail_about_money(),
        gettext("If you put the pieces back, they can be sold again: %(pieces)s.") % {"pieces": _pieces(order)},
    ]


def _if_put_back(order: Order) -> list[str]:
    return [
        gettext("These pieces can be sold again: %(pieces)s.") % {"pieces": _pieces(order)},
        gettext("The order’s page says that they came back. Nobody gets a mail."),
    ]


def _if_asked_again(order: Order) -> list[str]:
    failed = order.refunds.filter(state=Refund.State.FAILED)
    sums = ", ".join(money(refund.amount, refund.currency) for refund in failed)
    return [
        gettext("The payment provider is asked once more to send back: %(sums)s.") % {"sums": sums},
        _mail_about_money(),
    ]


def _if_looked_at(order: Order) -> list[str]:
    return [gettext("The order no longer counts as one that needs a person. Nothing else changes.")]


def _goes_back(order: Order) -> str:
    return gettext("%(sum)s goes back to the customer, the way it came.") % {"sum": money(order.total, order.currency)}


def _pieces(order: Order) -> str:
    return ", ".join(f"{line.quantity} × {line.name} ({line.sku})" for line in order.lines.all())


def _mail(order: Order, what: str) -> str:
    languages: Mapping[str, Any] = dict(settings.LANGUAGES)
    return gettext("%(address)s gets a mail (%(language)s): %(what)s.") % {
        "address": order.email,
        "language": languages.get(order.language, order.language),
        "what": what,
    }


def _mail_about_money() -> str:
    return gettext("Once the money is on its way, a mail names the sum.")


# --- who does it ---------------------------------------------------------------------------------------------------


def _ask_again(*, order: Order, **how: Any) -> bool:
    failed = list(order.refunds.filter(state=Refund.State.FAILED))
    asked = [refunds.ask_again(refund_id=refund.id, **how) for refund in failed]
    return any(asked)


def _by(service: Callable[..., bool]) -> Callable[..., bool]:
    return lambda *, order, **how: service(order_id=order.id, **how)


DECISIONS = {
    decision.name: decision
    for decision in (
        Decision(
            name="ship",
            label=_("Mark as sent"),
            permission=access.SHIP,
            possible=_is(State.PAID),
            effects=_if_shipped,
            decide=_by(lifecycle.ship),
            form=SentForm,
        ),
        Decision(
            name="deliver",
            label=_("Mark as delivered"),
            permission=access.SHIP,
            possible=_is(State.SHIPPED),
            effects=_if_delivered,
            decide=_by(lifecycle.deliver),
        ),
        Decision(
            name="refund",
            label=_("Refund"),
            permission=access.REFUND,
            possible=returns.can_be_refunded,
            effects=_if_refunded,
            decide=_by(returns.refund_sent),
            form=PiecesForm,
        ),
        Decision(
            name="put-back",
            label=_("Put the pieces back"),
            permission=access.REFUND,
            possible=returns.can_be_put_back,
            effects=_if_put_back,
            decide=_by(returns.put_back),
        ),
        Decision(
            name="refund-again",
            label=_("Try failed refunds again"),
            permission=access.REFUND,
            possible=_has_failed_refund,
            effects=_if_asked_again,
            decide=_ask_again,
            then=_("The payment provider is asked. Its answer will stand in the history below."),
        ),
        Decision(
            name="looked-at",
            label=_("A person has looked at it"),
            permission=access.ATTEND,
            possible=lambda order: order.needs_attention,
            effects=_if_looked_at,
            decide=_by(lifecycle.note_look),
        ),
        Decision(
            name="cancel",
            label=_("Cancel the order"),
            permission=access.CANCEL,
            possible=_is(State.PLACED, State.AWAITING_PAYMENT, State.CLOSING, State.PAID),
            effects=_if_cancelled,
            decide=_by(lifecycle.cancel_by_staff),
        ),
    )
}
