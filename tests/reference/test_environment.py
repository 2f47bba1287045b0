"""docs/reference/settings.md has each variable beside the settings, and each setting without a variable."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping

from eventbus import events
from tests.reference import environment
from tests.reference.environment import Read
from tests.reference.tables import Row, code, named, page
from tests.settings_source import SOURCE, settings_in

PAGE = page("settings")
FILES = environment.files()
SETTINGS = settings_in(SOURCE)
CALLED = {"$(shell date +%s)": "the time now"}  # a default that is no plain value


def test_the_page_and_the_files_agree() -> None:
    assert variable_differences(environment.variables_read(FILES)) == []


def test_the_page_has_each_setting_without_a_variable() -> None:
    assert name_differences(environment.names_in_python(FILES), SOURCE) == []


def test_the_page_has_each_key_of_the_bus() -> None:
    assert key_differences(environment.keys_read(FILES)) == []


# --- how it is found out -------------------------------------------------------------------------------------------


def variable_differences(found: Iterable[Read]) -> list[str]:
    """Sentences about what the page and the files say differently. Settings have tables of their own."""
    places: defaultdict[str, list[Read]] = defaultdict(list)
    for one in found:
        if one.name and one.name not in SETTINGS:
            places[one.name].append(one)
    told = named(PAGE, "variable")
    wrong = [f"{name} is on the page, and is not read" for name in told.keys() - places.keys()]
    wrong += [f"{name} is read, and is not on the page" for name in places.keys() - told.keys()]
    for name in told.keys() & places.keys():
        wrong += _wrong_variable(name, told[name], places[name])
    return sorted(wrong)


def _wrong_variable(name: str, row: Row, places: list[Read]) -> list[str]:
    wrong = []
    readers, listed = sorted({one.file for one in places}), sorted(map(code, row["read by"].split(", ")))
    if listed != readers:
        wrong.append(f"{name} is read by {', '.join(readers)}, and the page says {', '.join(listed)}")
    for default in {one.default for one in places if one.default is not None} or {"none"}:
        plain = default in ("none", environment.REQUIRED) or default in CALLED
        if (text := CALLED.get(default, default) if plain else f"`{default}`") not in row["default"]:
            wrong.append(f"{name}: the default is {text}, and the page says {row['default']}")
    return wrong if row["meaning"] else [*wrong, f"{name}: the page does not say what it is for"]


def name_differences(found: set[str], source: str) -> list[str]:
    told, wanted = named(PAGE, "name"), found - SETTINGS.keys()
    wrong = [f"{name} is on the page, and nothing asks for it" for name in told.keys() - wanted]
    wrong += [f"{name} is asked for, and is not on the page" for name in wanted - told.keys()]
    for name, default in plain_values(source).items():
        if name in told and code(told[name]["default"]) != default:
            wrong.append(f"{name}: the default is {default}, and the page says {told[name]['default']}")
    return sorted(wrong + [f"{name}: no meaning" for name, row in told.items() if not row["meaning"]])


def plain_values(source: str) -> dict[str, str]:
    """What settings.py sets to a plain value."""
    found = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {ast.unparse(one.targets[0]): str(one.value.value) for one in found if isinstance(one.value, ast.Constant)}


def key_differences(found: Mapping[str, str]) -> list[str]:
    told = named(PAGE, "key")
    wrong = [f"{name} is on the page, and is no key of EVENTBUS" for name in told.keys() - found.keys()]
    wrong += [f"{name} is a key of EVENTBUS, and is not on the page" for name in found.keys() - told.keys()]
    for name in told.keys() & found.keys():
        default = str(getattr(events, found[name], found[name]))
        if code(told[name]["default"]) != default or not told[name]["meaning"]:
            wrong.append(f"{name}: the default is {default}, and the page says {told[name]['default']}")
    return sorted(wrong)
