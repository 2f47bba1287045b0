"""How a value is spelled changes nothing: blanks, a comma or a slash too many open no door and break no link."""

from pathlib import Path

import pytest

from tests.test_settings import DEPLOYED, PRINT, python


def test_entries_of_a_list_are_taken_without_the_blanks_around_them_and_empty_ones_are_none(tmp_path: Path) -> None:
    code = "from django.conf import settings as s; print(s.ALLOWED_HOSTS, s.STATIONS_FEEDS); "
    code += "print(s.SECRET_KEY_FALLBACKS, s.SANDBOX_WEBHOOK_SECRET_FALLBACKS)"
    lists = {"ALLOWED_HOSTS": "shop.example, www.shop.example,", "STATIONS_FEEDS": "simulator,, JCDecaux:lyon "}
    fallbacks = {"SECRET_KEY_FALLBACKS": ",the one before, ", "SANDBOX_WEBHOOK_SECRET_FALLBACKS": " old ,"}

    told = python(tmp_path, code, **DEPLOYED | lists | fallbacks)

    assert told.stdout.splitlines() == [
        "['shop.example', 'www.shop.example'] ['simulator', 'jcdecaux:lyon']",
        "['the one before'] ['old']",
    ], told.stderr


def test_a_comma_too_many_lets_nobody_sign_webhooks(tmp_path: Path) -> None:
    code = """
import hashlib, hmac
from datetime import UTC, datetime
from mcommerce.payment.providers.base import BadSignature
from mcommerce.payment.providers.sandbox import SIGNATURE_HEADER, Sandbox

now = datetime.now(UTC)
at = int(now.timestamp())
for secret in ("old", "", " "):
    signed = hmac.new(secret.encode(), b"%d.{}" % at, hashlib.sha256).hexdigest()
    try:
        Sandbox.from_settings().parse_webhook(headers={SIGNATURE_HEADER: f"t={at},v1={signed}"}, body=b"{}", now=now)
    except BadSignature as error:
        print("refused:", error)
    except Exception as error:
        print("signed well:", error)
"""
    told = python(tmp_path, code, SANDBOX_WEBHOOK_SECRET_FALLBACKS="old,, ")

    assert [line.partition(":")[0] for line in told.stdout.splitlines()] == ["signed well", "refused", "refused"], (
        told.stdout + told.stderr
    )


def test_a_part_of_a_deployed_site_that_sends_no_mail_needs_no_mail_server(tmp_path: Path) -> None:
    told = python(tmp_path, PRINT.format(name="EMAIL_BACKEND"), **DEPLOYED | {"EMAIL_URL": "dummy:"})

    assert told.stdout.strip().endswith(".dummy.EmailBackend"), told.stderr


@pytest.mark.parametrize("written", ["https://shop.example/", "https://shop.example:8443//"])
def test_links_in_mails_hold_whether_the_sites_address_ends_with_a_slash_or_not(tmp_path: Path, written: str) -> None:
    code = "from mcommerce.orders.mail import link_to; print(link_to('00000000-0000-0000-0000-000000000000'))"

    told = python(tmp_path, code, **DEPLOYED | {"SITE_URL": written})

    assert told.stdout.startswith(f"{written.rstrip('/')}/orders/0000"), told.stderr
