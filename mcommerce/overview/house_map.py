"""The map of the house: who publishes what and which group handles it, as a drawing made on the server.

Three columns: the apps that publish, the types of events by topic, the consumer groups. The same code makes the same
drawing: types are in order of topic and name, and the other nodes stand at the height of their types.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus.reports import catalogue, groups
from eventbus.reports.catalogue import Entry
from eventbus.reports.groups import GroupReport
from mcommerce.overview.frame import MAY_LOOK, PART, for_staff, live

# Of the drawing, in units that are pixels at its full size.
ROW, TOPIC_ROW, TOP = 24, 38, 40  # heights of a type and of a topic's name, and of the columns' titles
APP_X, APP_WIDTH = 10, 130
TYPE_X, TYPE_WIDTH = 240, 280
GROUP_X, GROUP_WIDTH, GROUP_HEIGHT = 640, 200, 42
WIDTH = GROUP_X + GROUP_WIDTH + 10
GAP = 8  # between two nodes of a column


class Node(NamedTuple):
    """A box of the drawing, by its upper left corner. `y` is also the height at which its lines end."""

    name: str
    x: int
    y: int
    width: int
    height: int
    entry: Entry | None = None
    group: GroupReport | None = None

    @property
    def middle(self) -> int:
        return self.y + self.height // 2

    @property
    def baseline(self) -> int:
        """The line on which its text stands."""
        return self.middle + 4

    @property
    def text_x(self) -> int:
        return self.x + 10


class Line(NamedTuple):
    """A line from an app to a type, or from a type to a group, as the path of an SVG."""

    path: str
    title: str
    is_bad: bool


class Drawing(NamedTuple):
    """The whole map."""

    width: int
    height: int
    apps: list[Node]
    topics: list[Node]
    types: list[Node]
    groups: list[Node]
    lines: list[Line]


@require_safe
@for_staff(MAY_LOOK)
def house_map(request: HttpRequest) -> HttpResponse:
    """Show the map. A group's box says how far it is behind, and what has failed in it."""
    report = groups.report()
    context = {
        "title": _("Map of the house"),
        "at": report.at,
        "log_unavailable": report.log_unavailable,
        "map": drawing(catalogue.entries(), report.groups),
    }
    return live(request, "bus-map", "overview/map.html", context, part=PART in request.GET)


def drawing(entries: Iterable[Entry], reports: Iterable[GroupReport]) -> Drawing:
    """Return the map of these events and groups."""
    topics, types = _types(entries)
    heights = {node.name: node.middle for node in types}
    by_name = {one.name: one for one in reports}
    published, handled = _ends(types, "publishers"), _ends(types, "groups")
    apps = list(_column(APP_X, APP_WIDTH, ROW, _means(published, heights)))
    found = [
        node._replace(group=by_name.get(node.name))
        for node in _column(GROUP_X, GROUP_WIDTH, GROUP_HEIGHT, _means(handled, heights))
    ]
    lowest = max((node.y + node.height for node in [*apps, *types, *found]), default=TOP)
    lines = [*_lines(apps, types, published), *_lines(types, found, handled, to_groups=True)]
    return Drawing(WIDTH, lowest + GAP, apps, topics, types, found, lines)


def _types(entries: Iterable[Entry]) -> tuple[list[Node], list[Node]]:
    topics, types, y = [], [], TOP
    for topic, found in groupby(entries, key=lambda entry: entry.topic):
        topics.append(Node(topic, TYPE_X, y, TYPE_WIDTH, TOPIC_ROW))
        y += TOPIC_ROW
        for entry in found:
            types.append(Node(entry.type, TYPE_X, y, TYPE_WIDTH, ROW - 4, entry))
            y += ROW
    return topics, types


def _ends(types: Iterable[Node], field: str) -> dict[str, list[str]]:
    """Return, by app or group, the types that it publishes or handles."""
    found: dict[str, list[str]] = {}
    for node in types:
        for name in getattr(node.entry, field):
            found.setdefault(name, []).append(node.name)
    return found


def _means(ends: Mapping[str, list[str]], heights: Mapping[str, int]) -> dict[str, int]:
    """Return the mean height of each one's types."""
    return {name: sum(heights[one] for one in types) // len(types) for name, types in ends.items()}


def _column(x: int, width: int, height: int, means: Mapping[str, int]) -> Iterator[Node]:
    """Yield nodes near their mean heights, in the same order, none above another."""
    y = TOP
    for name, mean in sorted(means.items(), key=lambda item: (item[1], item[0])):
        y = max(y, mean - height // 2)
        yield Node(name, x, y, width, height)
        y += height + GAP


def _lines(
    left: Iterable[Node], right: Iterable[Node], ends: Mapping[str, list[str]], *, to_groups: bool = False
) -> Iterator[Line]:
    begin, end = ({node.name: node for node in nodes} for nodes in (left, right))
    for name, types in ends.items():
        for wire_type in types:
            one, other = (begin[wire_type], end[name]) if to_groups else (begin[name], end[wire_type])
            is_bad = other.group is not None and (other.group.state != "flows" or other.group.dead_letters > 0)
            yield Line(_path(one, other), f"{one.name} → {other.name}", is_bad)


def _path(one: Node, other: Node) -> str:
    begin, end = one.x + one.width, other.x
    half = (begin + end) // 2
    return f"M{begin} {one.middle}C{half} {one.middle} {half} {other.middle} {end} {other.middle}"
