"""A walk through a site that lacks one app. `test_missing_apps.py` runs it, in a process for each app."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from eventbus import registry
from eventbus.testing import settle
from mcommerce.serving import background_threads
from tests.permissions import inventory, sample_rows
from tests.permissions.test_matrix import arguments_of
from tests.permissions.visitors import Cast, everybody

MISSING = os.environ["MISSING_APP"]
TARGET = re.compile(r'(?:href|action|src)="(/[^"]*)"')
READY = reverse("health-ready")  # not with a row in each table of faults; without any it must be
SAMPLE_PICTURE = "/static/x"  # of rows with the plainest values
VISITORS, STAFF = ("anonymous", "customer", "superuser"), ("superuser",)


@pytest.fixture
def cast(db: None, settings: Any, tmp_path: Path) -> Cast:
    settings.MEDIA_ROOT = tmp_path
    return everybody()


def test_no_page_breaks_and_no_link_is_dead(cast: Cast, tmp_path: Path) -> None:
    visited, faults = 0, []
    for address in [*pages(sample_rows.names(tmp_path)), "/no/such/page/"]:
        for name in STAFF if address.startswith("/admin/") else VISITORS:
            answer = browser(cast, name).get(address)
            visited += 1
            if answer.status_code >= 500 and address != READY:
                faults.append(f"{address} as {name}: {answer.status_code}")
            faults += [f"{address} as {name} leads to {dead}" for dead in dead_links(answer)]

    assert faults == []
    assert visited > 100


def test_the_front_page_answers(cast: Cast) -> None:
    answer = browser(cast, "anonymous").get("/", follow=True)

    assert answer.status_code == 200
    assert "Mcommerce" in answer.content.decode()


def test_whoever_signs_in_arrives_somewhere(cast: Cast) -> None:
    told = {"login": "other@example.com", "password": "never-guess-a-hamster"}

    answer = browser(cast, "anonymous").post("/accounts/sign-in/", told, follow=True)

    assert (answer.status_code, answer.redirect_chain != []) == (200, True)


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


def pages(names: dict[str, Any]) -> Iterator[str]:
    """Every address of the site: each route, and each page of each table of the admin."""
    for name, pattern in inventory.routes():
        yield reverse(name, kwargs=arguments_of(name, pattern, names))
    for model in admin.site._registry:
        of_table = f"admin:{model._meta.label_lower.replace('.', '_')}"
        yield reverse(f"{of_table}_changelist")
        yield reverse(f"{of_table}_add")
        yield reverse(f"{of_table}_change", args=[sample_rows.row(model).pk])


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
