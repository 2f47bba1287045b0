"""`docs/how-to/a-page-with-a-form.md`: its files and commands make a page with a form, and its tests pass."""

import pytest

from tests.page_reader import Reader
from tests.permissions import access_needs

pytestmark = pytest.mark.sites

ADDRESS_OF_ONE = """
from django.urls import path
from mcommerce.guestbook import views
app_name = "guestbook"
urlpatterns = [path("", views.show, name="show"), path("again/", views.show, name="again")]
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Somebody who has followed the page, whose tests have passed."""
    reader = Reader(tmp_path_factory.mktemp("form") / "mcommerce", "how-to/a-page-with-a-form.md")
    reader.follow()
    return reader


def test_the_house_finds_nothing_wrong_with_the_module(reader: Reader) -> None:
    reader.find_nothing_wrong("guestbook")


def test_the_needs_that_the_page_names_exist(reader: Reader) -> None:
    named = ("ALL", "SIGNED_IN", "OWNER", "owner_or", "permission", "NO_METHOD")

    assert all(f"`{name}" in reader.page and hasattr(access_needs, name) for name in named)


def test_an_address_without_a_row_fails_the_tests(reader: Reader) -> None:
    addresses = reader.folder / "mcommerce/guestbook/urls.py"
    written = addresses.read_text()
    addresses.write_text(ADDRESS_OF_ONE)
    try:
        told = reader.attempt(".venv/bin/python -m pytest -q tests/permissions/test_matrix.py -k has_a_row")
    finally:
        addresses.write_text(written)

    assert told.returncode == 1
    assert "tests/mcommerce/guestbook/access_rows.py does not say who may use it" in told.stdout
