"""`docs/adding-a-module.md`: the module that its code makes grants wishes, and the project's checks pass."""

import re

import pytest
import yaml

from tests.page_reader import Reader
from tests.reference.tables import named
from tests.reference.test_settings_page import differences
from tests.settings_source import settings_in
from tests.test_compose import ROOT, dropped

pytestmark = pytest.mark.xdist_group("adding_a_module")  # one process makes what they share

MAIL = """# mcommerce/wishes/mail.py
from uuid import UUID

from django.core.mail import EmailMessage


def send_granted(*, wish_id: UUID) -> None:
    EmailMessage("Your wish", str(wish_id), to=["ada@example.com"]).send()
"""
# The reader's other handlers: a station's bikes, and the mail.
OTHERS = """# tests/mcommerce/wishes/test_others.py
import pytest
from django.core import mail
from eventbus.testing import sample
from mcommerce.events import WishGranted
from mcommerce.wishes.models import WishedStation
from stations.events import StationChanged


@pytest.mark.bus_groups("wishes-stations")
def test_bikes(scenario):
    station = {"feed": "jcdecaux:lyon", "station_id": "7"}
    WishedStation.objects.create(**station)
    scenario.publish(
        sample(StationChanged, **station, bikes=3, version=2),
        sample(StationChanged, **station, bikes=9, version=1),
        sample(StationChanged, **station | {"station_id": "8"}, version=2),
        sample(StationChanged, **station | {"feed": "jcdecaux"}, bikes=5, version=9),
    )
    scenario.expect(StationChanged)
    assert WishedStation.objects.get().bikes == 3


@pytest.mark.bus_groups("wishes-mail")
def test_mail(scenario):
    scenario.publish(sample(WishGranted))
    scenario.expect(WishGranted)
    assert len(mail.outbox) == 1


def test_votes_may_be_carried_out_twice():
    from mcommerce.features.installed import repeats_harmless

    assert "/wishes/vote/" in repeats_harmless()
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Somebody who has followed the page."""
    reader = Reader(tmp_path_factory.mktemp("module") / "mcommerce", "adding-a-module.md")
    reader.follow()
    reader.write(MAIL)
    config = reader.folder / "mcommerce/wishes/apps.py"
    config.write_text(config.read_text().rstrip() + "\n" + reader.text_of("repeats"))
    return reader


def test_the_module_of_the_page_works(reader: Reader) -> None:
    reader.write(OTHERS)

    told = reader.attempt(".venv/bin/python -m pytest -q tests/mcommerce/wishes")

    assert told.returncode == 0, told.stdout
    assert re.search(r"\b5 passed", told.stdout), told.stdout


def test_startapp_makes_the_files_that_the_page_lists(reader: Reader) -> None:
    listed = re.search(r"^```text\n(mcommerce/wishes/ .*?)^```$", reader.page, re.DOTALL | re.MULTILINE)
    assert listed
    folder, found = "", []
    for word in listed[1].split():
        if word in ("mcommerce/wishes/", "templates/wishes/", "tests/mcommerce/wishes/"):
            folder = word
        else:
            found.append(folder + word)

    assert len(found) == 14
    assert [name for name in found if not (reader.folder / name).exists()] == []


def test_the_tests_to_run_after_each_change_pass(reader: Reader) -> None:
    reader.type("own")


def test_the_rules_that_it_names_exist(reader: Reader) -> None:
    """They are collected only. `find_nothing_wrong` runs most of them, for other pages."""
    lines = reader.text_of("rules")
    files = re.findall(r"tests/(\S+)\.py", lines)

    told = reader.attempt(lines.replace("pytest -q", "pytest -q --collect-only"))

    assert told.returncode == 0, told.stdout
    assert len(files) == 4
    assert [name for name in files if f"tests/{name}.py::" not in told.stdout] == []


def test_the_setting_of_the_page_is_named_in_three_files(reader: Reader) -> None:
    files = ("mcommerce/settings.py", "docs/reference/settings.md", "compose.yaml")
    texts = {name: (ROOT / name).read_text() for name in files}
    blocks = (reader.text_of("setting"), reader.text_of("setting-row"), reader.text_of("setting-of-containers"))
    setting, row, line = (block.partition("\n")[2] for block in blocks)
    source = texts["mcommerce/settings.py"].replace("try:\n    env.seal()", f"{setting}\ntry:\n    env.seal()")
    page = texts["docs/reference/settings.md"].replace("| `DEFAULT_FROM_EMAIL`", f"{row}| `DEFAULT_FROM_EMAIL`")
    compose = texts["compose.yaml"].replace("    DEFAULT_FROM_EMAIL:\n", f"    DEFAULT_FROM_EMAIL:\n{line}")

    assert differences(named(page, "setting"), settings_in(source)) == []
    assert dropped(source) == {"WISHES_MAIL_TO"}
    assert "WISHES_MAIL_TO" in yaml.safe_load(compose)["x-site"]["environment"]
