"""The desk of a demo site opens with what `make run` printed; no other site's does."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from mcommerce.accounts.models import User
from tests.mcommerce.accounts.conftest import sign_in

pytestmark = pytest.mark.django_db


def printed() -> dict[str, str]:
    out = StringIO()
    call_command("demo_admin", "--json", stdout=out)
    return json.loads(out.getvalue())


def enters(client: Client, door: dict[str, str]) -> bool:
    sign_in(client, door["email"], door["password"], path=client.get("/admin/login/?next=/admin/")["Location"])
    return client.get("/admin/").status_code == 200


def test_what_is_printed_opens_the_desk_until_the_next_time(settings: Settings) -> None:
    settings.DEMO = True

    before, now = printed(), printed()

    assert not enters(Client(), before)
    assert enters(Client(), now)
    assert User.objects.count() == 1


def test_a_site_that_is_no_demo_refuses(settings: Settings) -> None:
    settings.DEMO = False

    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("demo_admin")

    assert not User.objects.exists()
