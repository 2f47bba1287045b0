"""A form of any app takes effect once, unless the app says why it may take effect twice."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.test import Client
from django.urls import URLPattern, get_resolver, include, path, resolve
from django.utils import timezone

from mcommerce.features.installed import features, repeats_harmless
from mcommerce.urls import urlpatterns as of_the_site
from mcommerce.web.resubmission import ADMIN_FORMS, HARMLESS, WEBHOOKS, is_carried_out_once
from stations.models import Remark
from tests.permissions import access_table

SAMPLES = {"uuid": str(UUID(int=7)), "int": "7", "str": "x", "slug": "x", "path": "x"}


def vote(request: HttpRequest, answer: str = "") -> Any:
    Remark.objects.create(name="Ada", message="a vote", at=timezone.now())
    match answer:
        case "json":
            return JsonResponse({"votes": Remark.objects.count()}, status=201)
        case "nothing":
            return HttpResponse(status=204)
    return redirect("/")


@transaction.non_atomic_requests
def call_a_provider(request: HttpRequest) -> HttpResponse:
    assert not transaction.get_connection().in_atomic_block
    return vote(request)


class Urls(ModuleType):
    """The site with an app of polls, as `manage.py startapp` makes one."""

    urlpatterns = (
        path("polls/vote/", vote),
        path("polls/vote/<str:answer>/", vote),
        path("polls/call/", call_a_provider),
        path("polls/webhook/counted/", vote),
        path("", include(of_the_site)),
    )


@pytest.fixture
def polls(site_cache: Any, settings: Any, client: Client) -> Client:
    settings.ROOT_URLCONF = Urls("polls_site")
    return client


def send_twice(client: Client, address: str) -> list[Any]:
    first = uuid4()
    answer = client.post(address, headers={"X-Request-Id": str(first)})
    return [answer, client.post(f"{address}?again={first}", headers={"X-Request-Id": str(uuid4())})]


@pytest.mark.parametrize(("answer", "status"), [("", 302), ("json/", 201), ("nothing/", 204)])
def test_a_form_of_a_new_app_takes_effect_once(polls: Client, answer: str, status: int) -> None:
    answers = send_twice(polls, f"/polls/vote/{answer}")

    assert [(one.status_code, one.content) for one in answers] == [(status, answers[0].content)] * 2
    assert Remark.objects.count() == 1


@pytest.mark.parametrize("address", ["/polls/call/", "/polls/webhook/counted/"])
def test_a_view_that_needs_no_transaction_and_a_webhook_are_left_alone(polls: Client, address: str) -> None:
    send_twice(polls, address)

    assert Remark.objects.count() == 2


def test_a_form_that_no_proxy_has_numbered_is_left_alone(polls: Client) -> None:
    for _time in range(2):
        polls.post("/polls/vote/")

    assert Remark.objects.count() == 2


def test_an_app_excepts_its_own_forms_below_its_prefix(polls: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    config = apps.get_app_config("stations")
    monkeypatch.setattr(config, "url_prefix", "polls/")
    monkeypatch.setattr(config, "repeats_harmless", {"vote/": "two votes of one voter count as one"}, raising=False)

    send_twice(polls, "/polls/vote/")

    assert Remark.objects.count() == 2


# --- the two lists -------------------------------------------------------------------------------------------------


def routes(resolver: Any, before: str = "/", names: str = "") -> Iterator[tuple[str, str]]:
    """The name of each route, and an address that leads there. Patterns that are regular expressions are left out."""
    for one in resolver.url_patterns:
        here = str(one.pattern)
        if here.startswith("^") or "(?P" in here:
            continue
        for converter, sample in SAMPLES.items():
            while f"<{converter}:" in here:
                start = here.index(f"<{converter}:")
                here = here[:start] + sample + here[here.index(">", start) + 1 :]
        if isinstance(one, URLPattern):
            yield f"{names}{one.name or ''}", before + here
        else:
            yield from routes(one, before + here, f"{names}{one.namespace}:" if one.namespace else names)


def forms() -> dict[str, str]:
    """The addresses that take a POST, by name."""
    rows = access_table.ROUTES
    return {name: at for name, at in routes(get_resolver()) if name not in rows or not rows[name].post.no_method}


def test_each_form_is_carried_out_once_or_excepted_by_one_reason() -> None:
    excepted = HARMLESS | repeats_harmless()
    for name, address in forms().items():
        reasons = [reason for beginning, reason in excepted.items() if address.startswith(beginning)]
        assert len(reasons) <= 1, f"{name} is excepted twice: {reasons}"
        decided = name.startswith("admin:") and not address.endswith(ADMIN_FORMS)  # by the state of its rows
        assert is_carried_out_once(address) is not bool(reasons or decided or WEBHOOKS in address), name


def test_an_app_excepts_forms_of_its_own_only_and_none_that_are_gone() -> None:
    there = forms()
    for config in [one for one in features() if getattr(one, "repeats_harmless", {})]:
        own = {address for _name, address in routes(get_resolver(f"{config.name}.urls"), f"/{config.url_prefix}")}
        for beginning in config.repeats_harmless:
            caught = {at for at in there.values() if at.startswith(f"/{config.url_prefix}{beginning}")}
            assert caught, f"{config.name} excepts {beginning!r}, where no form is"
            assert caught <= own, f"{config.name} excepts forms of other apps: {caught - own}"


@pytest.mark.parametrize(
    ("name", "once"),
    [
        *((name, False) for name in ("orders:add", "orders:checkout", "orders:cancel", "payment:pay")),
        *((name, False) for name in ("account_login", "account_logout", "account_change_password", "set_language")),
        *((name, False) for name in ("payment:webhook", "mfa_activate_totp", "account_signup")),
        *((name, True) for name in ("accounts:add_address", "accounts:delete_address", "stations:remark")),
        *((name, True) for name in ("admin:orders_order_add", "admin:products_product_add")),
        *((name, False) for name in ("admin:orders_order_changelist", "admin:orders_order_decide")),
    ],
)
def test_what_would_take_effect_twice_is_carried_out_once_and_what_locks_too_much_is_not(name: str, once: bool) -> None:
    address = forms()[name]

    assert resolve(address)
    assert is_carried_out_once(address) is once
