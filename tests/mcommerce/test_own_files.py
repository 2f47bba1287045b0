"""A deployed site's own scripts and sheets are shorter than their sources, and do the same."""

import re

import pytest
from django.contrib.staticfiles.finders import get_finders

from mcommerce.web.own_files.bundle import Bundle, NotBundled
from mcommerce.web.own_files.minified import NestedTemplate, minified_script, minified_sheet
from mcommerce.web.own_files.storage import OwnFiles, is_ours

COLLECTED = [(storage, path) for finder in get_finders() for path, storage in finder.list([".*"])]
OWN = [(storage, path) for storage, path in COLLECTED if is_ours(storage, path)]


def test_comments_and_blanks_go_and_texts_stay() -> None:
    script = 'import { a } from "./a.js"; // why\n/** Return it. */\nexport const told = `a  ${a} // b`;\n'

    assert minified_script(script) == 'import{a}from"./a.js";export const told=`a  ${a} // b`;'
    assert minified_sheet("/* why */\n.a > .b { color : red; }\n") == ".a>.b{color:red}"


@pytest.mark.parametrize("script", ["x = `${a ? ` · ${b}` : ''}`;", "x = `${f({ y: `a  b` })}`;"])
def test_a_template_in_a_template_is_refused_for_its_blanks_would_be_lost(script: str) -> None:
    with pytest.raises(NestedTemplate, match="give the inner one a name"):
        minified_script(script)


def test_each_of_our_files_can_be_made_short() -> None:
    for storage, path in OWN:
        assert OwnFiles(storage).open(path).read(), path


def test_a_script_holds_the_modules_of_its_app_each_once_after_those_that_it_imports() -> None:
    sources = {
        "a/page.js": 'import { one } from "./one.js";\nimport { two as second } from "./two.js";\ntell(one, second);\n',
        "a/one.js": 'import { two } from "./two.js";\nexport const one = two + 1;\n',
        "a/two.js": 'import lib from "./vendor/lib.js";\nexport function two() {}\n',
    }

    whole = Bundle("a/page.js", sources.__getitem__, lambda name: "vendor" not in name).text()

    assert whole.split("\n") == [
        'import * as outside_0 from "./vendor/lib.js";',
        "const module_0 = (() => {",
        "const lib = outside_0.default;",
        "function two() {}",
        "",
        "return { two };",
        "})();",
        "const module_1 = (() => {",
        "const { two } = module_0;",
        "const one = two + 1;",
        "",
        "return { one };",
        "})();",
        "const { one } = module_1;",
        "const { two: second } = module_0;",
        "tell(one, second);",
        "",
    ]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("export default 1;\n", "export default 1;"),
        ("export let count = 0;\n", "export let count"),
        ("export * from './b.js';\n", "export *"),
        ('import { a } from "./b.js"\n', "import { a }"),
        ('import { a } from "./page.js";\n', "imports itself"),
    ],
)
def test_an_import_or_export_that_bundling_does_not_know_is_refused(source: str, told: str) -> None:
    with pytest.raises(NotBundled, match=re.escape(told)):
        Bundle("page.js", lambda name: source, lambda name: True).text()
