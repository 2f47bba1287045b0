"""Support for tests of an app that registers fragments."""

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import RequestFactory

from mcommerce.web.slots import registry
from mcommerce.web.slots.drawing import counted, drawn, too_many


def draw_fragment(call: registry.Call, *key: object, request: HttpRequest | None = None) -> str:
    """Return the HTML of a fragment for the page with these ids; by default a stranger looks at it.

    Raises what the fragment raises. Raises AssertionError if it makes more queries than it declares.
    """
    fragment = registry.find(call)
    with counted() as count:
        html = drawn(fragment, key, request or _of_a_stranger())
    if count.made > fragment.queries:
        raise AssertionError(too_many(fragment, count.made))
    return html


def _of_a_stranger() -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    return request
