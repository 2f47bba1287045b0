"""The text about a merchant's changes to a product, for its history in the admin."""

from collections.abc import Callable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from mcommerce.money.template_filters import money, percent


def told(form: Any) -> str:
    """Return the text about the changes that a form makes.

    Price, VAT rate and being for sale are told with old and new values, and pieces with their number. Other fields are
    only named.
    """
    return " ".join([*_known(form), *_rest(form)])


def _known(form: Any) -> Iterator[str]:
    shown = _shown_by(form.instance.currency)
    for name in form.changed_data:
        after = form.cleaned_data[name]
        if name in shown:
            yield _said(form, name, f"{shown[name](form.initial.get(name))} → {shown[name](after)}")
        elif name in ("received_now", "lost_now"):
            yield _said(form, name, after)


def _said(form: Any, name: str, value: object) -> str:
    return _("%(field)s: %(value)s.") % {"field": form.fields[name].label, "value": value}


def _rest(form: Any) -> Iterator[str]:
    shown = {*_shown_by(""), "received_now", "lost_now", "stock_note", "seen_version"}
    names = [str(form.fields[name].label) for name in form.changed_data if name not in shown]
    if names:
        yield _("Changed: %(fields)s.") % {"fields": ", ".join(names)}


def _shown_by(currency: str) -> dict[str, Callable[[Any], str]]:
    return {
        "price": lambda price: money(price, currency),
        "tax_rate": percent,
        "published": lambda published: _("yes") if published else _("no"),
    }
