"""docs/reference/settings.md has each setting that is read, with its default and what a wrong value says."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.reference.tables import Row, named, page
from tests.settings_source import SOURCE, Setting, read_otherwise, settings_in
from tests.test_settings import python

PAGE = page("settings")
# What a default is called that is no plain value. A key is the expression in settings.py.
CALLED = {
    "[]": "none",
    "{}": '`""`',
    "['simulator']": "`simulator`",
    "LOOPBACK_HOSTS": "loopback",
    "bool(DEMO)": "as `DEMO`",
    "str(BASE_DIR / 'var')": "`var/`",
    "f\"sqlite:///{VAR_DIR / 'mcommerce.sqlite3'}\"": "SQLite in `VAR_DIR`",
    "1 if DEMO else 24": "`24`; `1` under `DEMO`",
}
KEPT = "made and kept in `VAR_DIR`"
ELSEWHERE = {"EVENTBUS_SIGNING_KEYS": "the `SECRET_KEY` and its fallbacks"}  # used where the list is empty
TYPES = {
    "bool": "yes or no",
    "int": "whole number",
    "float": "number",
    "entries": "list of",
    "pairs": "pairs",
    "dj_db_url": "address",
    "dj_email_url": "address",
}
WRONG = re.compile(r"(?:`([^`]+)`|not set).*?: “(.+?)”")


def test_the_page_and_the_settings_agree() -> None:
    assert differences(named(PAGE, "setting"), settings_in(SOURCE)) == []


def test_what_only_one_of_them_has_is_found() -> None:
    planted = SOURCE + 'NEW = env.int("NEW_SETTING", 3)\nDEMO = env.bool("DEMO", True)\n'
    told, read = named(PAGE, "setting"), settings_in(planted)
    gone = settings_in(SOURCE.replace('env.str("KAFKA_PREFIX", "")', '""'))

    assert differences(told, read) == [
        "DEMO: the default is `True`, and the page says `False`",
        "NEW_SETTING is read, and is not on the page",
    ]
    assert differences(told, gone) == ["KAFKA_PREFIX is on the page, and is not read"]


def test_a_wrong_value_says_what_the_page_says(tmp_path: Path) -> None:
    told = {name: found for name, row in named(PAGE, "setting").items() if (found := WRONG.match(row["a wrong value"]))}
    wrong = {name: found[1] for name, found in told.items() if found[1]}
    texts = {name: found[2] if name in found[2] else f"{name}: {found[2]}" for name, found in told.items()}

    said = python(tmp_path, "", **wrong).stderr
    # What is wrong in itself is said first. Once that is mended, the start looks at values beside others.
    rest = {name: value for name, value in wrong.items() if texts[name] not in said}
    said += python(tmp_path, "", **{"EVENTBUS_BACKEND": "kafka"} | rest).stderr

    assert [text for text in texts.values() if text not in said] == []


@pytest.mark.parametrize(
    "line",
    ['env.int("NEW", default=3)', 'env.str("NEW")', 'env("NEW", 3)', 'os.environ.get("NEW", "3")', 'os.getenv("NEW")'],
)
def test_a_setting_is_read_in_the_one_form_that_is_compared(line: str) -> None:
    assert read_otherwise(SOURCE) == [], 'write env.kind("NAME", default)'
    assert read_otherwise(f"{SOURCE}\nNEW = {line}\n") == [line.replace('"', "'")]


# --- how it is found out -------------------------------------------------------------------------------------------


def differences(told: Mapping[str, Row], read: Mapping[str, Setting]) -> list[str]:
    """Sentences about what the page and the settings say differently."""
    found = [f"{name} is on the page, and is not read" for name in told.keys() - read.keys()]
    for name, setting in read.items():
        if name not in told:
            found.append(f"{name} is read, and is not on the page")
            continue
        row, default = told[name], called(name, setting)
        if row["default"] not in default:
            found.append(f"{name}: the default is {default[0]}, and the page says {row['default']}")
        if missing := [one for one in setting.choices if one and f"`{one}`" not in row["type"]]:
            found.append(f"{name}: its type lacks {', '.join(missing)}")
        if not row["type"].startswith(TYPES.get(setting.kind, "")):
            found.append(f"{name}: it is {TYPES[setting.kind]}, and the page says {row['type']}")
        if not row["meaning"]:
            found.append(f"{name}: the page does not say what it is for")
    return sorted(found)


def called(name: str, setting: Setting) -> list[str]:
    """The texts for its default: the value, or another word for one that is made otherwise."""
    default = setting.default
    if isinstance(default, ast.Constant):
        plain = f"`{default.value}`" if default.value != "" else '`""`'
        return [plain, KEPT] if default.value == "" and f"{name} or _kept_secret" in SOURCE else [plain]
    return [ELSEWHERE.get(name) or CALLED[ast.unparse(default)]]
