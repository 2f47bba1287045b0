"""A deployed site's own scripts and sheets are shorter than their sources, and do the same."""

from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finders

from mcommerce.web.minified import MinifiedFiles, NestedTemplate, is_ours, minified_script, minified_sheet

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


def test_a_template_with_objects_in_its_places_is_taken() -> None:
    assert minified_script("x = `${f({ y: { z: 1 } })} · ${b}`;") == "x=`${f({ y: { z: 1 } })} · ${b}`;"


@pytest.mark.parametrize(("storage", "path"), OWN, ids=[path for _, path in OWN])
def test_each_of_our_files_can_be_minified(storage: object, path: str) -> None:
    source = Path(storage.path(path)).read_text()

    short = MinifiedFiles(storage).open(path).read().decode()

    assert 0 < len(short) < len(source)


def test_the_files_of_others_stay_as_they_ship_them() -> None:
    others = {path for storage, path in COLLECTED if not is_ours(storage, path)}

    assert {"stations/vendor/uplot/uPlot.esm.js", "admin/css/base.css"} <= others
    assert {"stations/dashboard.js", "site/site.css", "orders/order.js"} <= {path for _, path in OWN}
