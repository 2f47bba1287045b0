"""{% load slots %}: `{% slot "order" order.id %}` shows the fragments that apps have registered for the place."""

from typing import Any

from django import template

from mcommerce.web.slots.drawing import Drawn, draw
from mcommerce.web.slots.registry import PLACES, Fragment, fragments_of, known_places

register = template.Library()


@register.inclusion_tag("slots/slot.html", takes_context=True)
def slot(context: Any, place: str, *key: Any) -> dict[str, Any]:
    """Show the fragments of a place, for the page with these ids. Without fragments it leaves no trace."""
    if place not in PLACES:
        raise template.TemplateSyntaxError(f"No page has a place {place!r}. Use one of {known_places()}")
    found = [(one, draw(one, key, context["request"])) for one in fragments_of(place)]
    return {
        "place": place,
        "boxes": [_box(one, drawn) for one, drawn in found if one.updates_on or drawn.html],
        "live": any(one.updates_on for one, _drawn in found),
    }


def _box(fragment: Fragment, drawn: Drawn) -> dict[str, Any]:
    return {"name": fragment.name, "live": bool(fragment.updates_on), **drawn._asdict()}
