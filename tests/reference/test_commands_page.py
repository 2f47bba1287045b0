"""docs/reference/commands.md has each command and action, with their options, defaults, and whether they print JSON."""

import argparse
from collections.abc import Iterator, Mapping

from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.reference.tables import Row, code, named, page, sections

PAGE = page("commands")
PACKAGES = ("mcommerce", "stations", "outside", "eventbus")
EVERYWHERE = {action.dest for action in BaseCommand().create_parser("manage.py", "any")._actions}
Options = dict[str, argparse.Action]


def test_the_page_and_the_parsers_agree() -> None:
    assert differences(PAGE, dict(parsers())) == []


def test_a_command_that_only_one_of_them_has_is_found() -> None:
    found = dict(parsers())
    planted = {**found, "greet": BaseCommand().create_parser("manage.py", "greet")}
    del planted["forget_carts"]

    assert differences(PAGE, planted) == [
        "forget_carts is on the page, and is no command",
        "greet is a command, and is not on the page",
    ]


# --- how it is found out -------------------------------------------------------------------------------------------


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command of the project by name, and each action of one as `command action`."""
    for name, app in get_commands().items():
        if not isinstance(app, str) or app.partition(".")[0] not in PACKAGES:
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((f"{name} {chosen}", one) for chosen, one in action.choices.items())


def differences(text: str, found: Mapping[str, argparse.ArgumentParser]) -> list[str]:
    """Sentences about what the page and the parsers say differently."""
    below, table = sections(text), named(text, "command")
    told = {name: below[name] for name in below if name.split()[0] in {key.split()[0] for key in table}}
    wrong = [f"{name} is on the page, and is no command" for name in told.keys() - found.keys()]
    wrong += [f"{name} is a command, and is not on the page" for name in found.keys() - told.keys()]
    for name in told.keys() & found.keys():
        options = options_of(found[name])
        if " " not in name:
            wrong += _wrong_json(name, table, options, actions=any(one.startswith(f"{name} ") for one in found))
        wrong += _wrong_options(name, named(told[name], "option"), options)
    return sorted(wrong)


def options_of(parser: argparse.ArgumentParser) -> Options:
    """Its own options by their first name. That of an argument is its metavar."""
    own = [one for one in parser._actions if one.dest not in {*EVERYWHERE, "help", "action"}]
    return {one.option_strings[0] if one.option_strings else str(one.metavar or one.dest).upper(): one for one in own}


def _wrong_json(name: str, table: Mapping[str, Row], options: Options, *, actions: bool) -> Iterator[str]:
    rows = {key.split()[0]: row for key, row in table.items()}
    if name not in rows:
        yield f"{name} is missing in the table of all commands"
    elif ("--json" in rows[name]["JSON"]) != (actions or "--json" in options):
        yield f"{name}: of JSON the page says {rows[name]['JSON']}"


def _wrong_options(name: str, told: Mapping[str, Row], options: Options) -> Iterator[str]:
    rows = {key.split()[0]: row for key, row in told.items()}
    wanted = {key: one for key, one in options.items() if key != "--json" or " " not in name}
    if " " in name and "--json" not in options:
        yield f"{name} lacks --json, which the page promises of every action"
    yield from (f"{name}: {key} is on the page, and is no option" for key in rows.keys() - wanted.keys())
    yield from (f"{name}: {key} is an option, and is not on the page" for key in wanted.keys() - rows.keys())
    for key in rows.keys() & wanted.keys():
        if (default := default_of(wanted[key])) != value(rows[key]["default"]):
            yield f"{name} {key}: the default is {default}, and the page says {rows[key]['default']}"
        if not rows[key]["meaning"]:
            yield f"{name} {key}: the page does not say what it does"


def default_of(option: argparse.Action) -> str:
    if option.nargs == 0:
        return "off"
    return "none" if option.default in (None, []) else str(option.default) or '""'


def value(cell: str) -> str:
    """The default that a cell names, perhaps by the setting that has it."""
    name = code(cell)
    return str(getattr(settings, name)) if name.isupper() and hasattr(settings, name) else name
