"""A walk through a site that lacks one app: the others' pages answer, and nothing leads to what is gone."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from eventbus import registry
from eventbus.testing import settle
from mcommerce.serving import background_threads
from tests.permissions import access_table, inventory, sample_rows
from tests.permissions.access_needs import STAFF as STAFF_ONLY
from tests.permissions.access_needs import Need
from tests.permissions.attempts import outcome_of
from tests.permissions.test_matrix import arguments_of, sample_of, seen_by
from tests.permissions.visitors import Cast, everybody

MISSING = os.environ["MISSING_APP"]
WHOLE: dict[str, tuple[str, str]] = json.loads(Path(os.environ["WHOLE_SITE"]).read_text())
TARGET = re.compile(r'(?:href|action|src)="(/[^"]*)"')
READY = reverse("health-ready")  # not with a row in each table of faults; without any it must be
SAMPLE_PICTURE = "/static/x"  # of rows with the plainest values
# Django's redirect to an object's public page. A product is the only object that has one.
NO_PUBLIC_PAGE = {"mcommerce.products": "admin:view_on_site"}.get(MISSING)
STAND_INS = {"mcommerce.products": {"products:list": 302}}  # at / another feature's page takes its place
APP_LIST = "admin:app_list"  # one for each app
VISITORS, STAFF = ("anonymous", "customer", "superuser"), ("superuser",)


@pytest.fixture
def cast(db: None, settings: Any, tmp_path: Path) -> Cast:
    settings.MEDIA_ROOT = tmp_path
    return everybody()


def test_every_page_of_the_others_answers(cast: Cast, tmp_path: Path) -> None:
    visited, faults = 0, []
    for page in pages(sample_rows.names(tmp_path)):
        for name in STAFF if page.address.startswith("/admin/") else VISITORS:
            answer = browser(cast, name).get(page.address)
            visited += 1
            faults += [f"{page.address} as {name}: {wrong}" for wrong in wrong_with(answer, page, cast, name)]
            faults += [f"{page.address} as {name} leads to {dead}" for dead in dead_links(answer)]

    assert not faults, "\n" + "\n".join(faults)
    assert visited > 100


def test_only_what_the_missing_app_owns_is_gone(cast: Cast, tmp_path: Path) -> None:
    here = {page.name for page in pages(sample_rows.names(tmp_path))}
    gone = WHOLE.keys() - here

    assert gone == {name for name, (owner, _address) in WHOLE.items() if owner == MISSING}
    assert here <= WHOLE.keys()
    still = {name: browser(cast, "superuser").get(WHOLE[name][1]).status_code for name in gone}
    assert {name: status for name, status in still.items() if status != 404} == STAND_INS.get(MISSING, {})


def test_the_front_page_answers_and_whoever_signs_in_arrives_somewhere(cast: Cast) -> None:
    told = {"login": "other@example.com", "password": "never-guess-a-hamster"}

    front, nowhere = (browser(cast, "anonymous").get(address, follow=True) for address in ("/", "/no/such/page/"))
    signed_in = browser(cast, "anonymous").post("/accounts/sign-in/", told, follow=True)

    assert (front.status_code, "Mcommerce" in front.content.decode()) == (200, True)
    assert (nowhere.status_code, dead_links(nowhere)) == (404, set())
    assert (signed_in.status_code, signed_in.redirect_chain != []) == (200, True)


def test_the_tables_fit_and_the_settings_are_right(db: None) -> None:
    call_command("check")  # which warns of handlers that nobody calls
    call_command("migrate", check_unapplied=True, verbosity=0)
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_the_bus_starts_and_no_group_of_the_missing_app_is_there(transactional_db: None) -> None:
    background_threads.start()
    try:
        assert background_threads.problem() == ""
    finally:
        background_threads.stop()

    label = MISSING.rpartition(".")[2]
    assert label not in registry.groups
    assert registry.groups
    settle()
    assert Client().get(READY).status_code == 200


# --- how it is walked ----------------------------------------------------------------------------------------------


def browser(cast: Cast, name: str) -> Client:
    found = cast.browser(name)
    found.raise_request_exception = False
    return found


class Page(NamedTuple):
    """A page of the site: the name of its route, whom it is for, and where else it may lead."""

    name: str
    address: str
    need: Need
    leads_to: tuple[str, ...] = ()


def pages(names: dict[str, Any]) -> Iterator[Page]:
    """Every page of the site: each route, the parts of it that scripts fetch, and all pages of the admin's tables."""
    for name, pattern in [one for one in inventory.routes() if one[0] != APP_LIST]:
        row, address = access_table.ROUTES[name], reverse(name, kwargs=arguments_of(name, pattern, names))
        yield from (Page(name, f"{address}{part}", row.get, row.leads_to) for part in ("", *row.parts))
    for config in apps.get_app_configs():
        if any(model._meta.app_label == config.label for model in admin.site._registry):
            address = reverse(APP_LIST, args=[config.label])
            yield Page(APP_LIST, address, STAFF_ONLY)
    for label, its_admin in inventory.tables().items():
        row, see, one = access_table.DESK[label], seen_by(label), sample_of(its_admin.model).pk
        needs = {"changelist": see, "add": row.add, "change": see, "delete": row.delete, "history": see}
        for page, need in needs.items():
            name = f"admin:{label.replace('.', '_')}_{page}"
            yield Page(name, reverse(name, args=[] if page in ("changelist", "add") else [one]), need)


def wrong_with(answer: Any, page: Page, cast: Cast, name: str) -> Iterator[str]:
    """A page answers 200 or leads where its row says, and whoever may not see it is refused."""
    visitor = cast.visitors[name]
    if page.need.no_method:
        outcome = outcome_of(answer, visitor)
        if outcome not in ("no method", "refused"):
            yield f"{answer.status_code} where there is nothing to look at"
    elif not page.need.lets_in(visitor):
        if outcome_of(answer, visitor) != "refused":
            yield f"{answer.status_code} instead of a refusal"
    elif answer.status_code in (301, 302):
        target = resolve(urlsplit(answer.url).path).view_name
        if target not in page.leads_to:
            yield f"leads to {target} ({answer.url}), and its row names {page.leads_to}"
    elif page.name == NO_PUBLIC_PAGE:
        if answer.status_code != 404:
            yield f"{answer.status_code}, and nothing has a public page"
    elif answer.status_code != 200 and (page.address, answer.status_code) != (READY, 503):
        yield str(answer.status_code)


def dead_links(answer: Any) -> set[str]:
    """Targets on the answer's page that no address of this site and no static file answers."""
    if answer.streaming or not answer["Content-Type"].startswith("text/html"):
        return set()
    targets = {urlsplit(found).path for found in TARGET.findall(answer.content.decode())}
    return {target for target in targets - {SAMPLE_PICTURE} if not is_there(target)}


def is_there(target: str) -> bool:
    if target.startswith("/static/"):
        return finders.find(target.removeprefix("/static/")) is not None
    try:
        return resolve(target) is not None
    except Resolver404:
        return False
