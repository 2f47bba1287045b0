"""Scripts and style sheets without comments and needless blanks.

The names in them stay as they are, so an error that a visitor reports can be found in the source.
"""

import re

import rcssmin
import rjsmin

TEMPLATE = re.compile(r"`(?:[^`\\]|\\.)*`")
FILLED = re.compile(r"\$?\{[^{}]*\}")


class NestedTemplate(ValueError):
    """A script has a template literal inside another one, in which the minifier would take texts for code."""


def minified_script(script: str) -> str:
    """Return a script without comments and needless blanks. Raises NestedTemplate."""
    short: str = rjsmin.jsmin(script)
    for template in TEMPLATE.findall(short):
        if _is_cut(template):
            raise NestedTemplate(f"{template[:60]} has a template in a template: give the inner one a name first")
    return short


def _is_cut(template: str) -> bool:
    """Return True if a template ends inside one of its places: there another one began."""
    filled = 1
    while filled:
        template, filled = FILLED.subn("", template)
    return "${" in template


def minified_sheet(sheet: str) -> str:
    """Return a style sheet without comments and needless blanks."""
    short: str = rcssmin.cssmin(sheet)
    return short


MINIFIERS = {".js": minified_script, ".css": minified_sheet}
