"""A shopper who comes back from the payment provider is known at the name they come back to."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from mcommerce.web.canonical_host import one_name_on_this_machine


@pytest.mark.parametrize(
    ("asked", "site", "leads_to"),
    [
        ("localhost:8000", "http://127.0.0.1:8000", "http://127.0.0.1:8000/cart/?a=1"),
        ("[::1]:8000", "http://localhost:8000", "http://localhost:8000/cart/?a=1"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", ""),
        ("localhost:8010", "http://127.0.0.1:8000", ""),  # another site, perhaps
        ("localhost:8000", "http://shop.localhost:8000", ""),
        ("localhost:99999", "http://127.0.0.1:8000", ""),
        ("testserver", "http://127.0.0.1:8000", ""),
    ],
)
def test_on_this_machine_a_visitor_has_one_site_and_one_cookie(
    asked: str, site: str, leads_to: str, settings: Settings
) -> None:
    settings.SITE_URL = site
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]
    middleware = one_name_on_this_machine(lambda request: HttpResponse("the page"))

    assert middleware(RequestFactory().get("/cart/?a=1", HTTP_HOST=asked)).headers.get("Location", "") == leads_to
    assert middleware(RequestFactory().post("/cart/?a=1", HTTP_HOST=asked)).content == b"the page"
