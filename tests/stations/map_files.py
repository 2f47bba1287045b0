"""A small map file (PMTiles 3) with one tile of streets, a river and a name: enough to see that it is drawn."""

import json
import struct
from pathlib import Path

EXTENT = 4096
PLAIN, VECTOR = 1, 1  # no compression; Mapbox vector tiles
LYON = (10, 525, 365)  # zoom, column and row of the tile around Lyon
POLYGON, LINE, POINT = 3, 2, 1
Ring = list[tuple[int, int]]
CREDITS = "<a href='https://example.org'>© Tests</a> &amp; OpenStreetMap"


def write_map_file(path: Path, *, attribution: str = CREDITS) -> Path:
    tile = _lyon()
    zoom, _, _ = LYON
    directory = b"".join(_varint(number) for number in (1, _tile_id(*LYON), 1, len(tile), 1))
    layers = [{"id": name, "fields": {}} for name in ("earth", "water", "roads")]
    metadata = json.dumps({"attribution": attribution, "vector_layers": layers}).encode()
    at_metadata = 127 + len(directory)
    at_tile = at_metadata + len(metadata)
    places = (127, len(directory), at_metadata, len(metadata), at_tile, 0, at_tile, len(tile), 1, 1, 1)
    corners = [round(degrees * 1e7) for degrees in (4.57, 45.58, 4.93, 45.83)]
    header = b"PMTiles\x03" + struct.pack("<11Q", *places) + bytes([1, PLAIN, PLAIN, VECTOR, zoom, zoom])
    header += struct.pack("<4i", *corners) + bytes([zoom]) + struct.pack("<2i", *corners[:2])
    path.write_bytes(header + directory + metadata + tile)
    return path


def _lyon() -> bytes:
    square: Ring = [(-64, -64), (EXTENT + 64, -64), (EXTENT + 64, EXTENT + 64), (-64, EXTENT + 64)]
    river: Ring = [(2800, -64), (2950, -64), (3050, 2000), (2700, 4160), (2550, 4160), (2900, 2000)]
    streets = [[(0, at), (EXTENT, at + 200)] for at in range(100, EXTENT, 260)]
    streets += [[(at, 0), (at - 150, EXTENT)] for at in range(200, EXTENT, 260)]
    return b"".join(
        [
            _layer("earth", POLYGON, [square], {"kind": "earth"}),
            _layer("water", POLYGON, [river], {"kind": "river"}),
            _layer("roads", LINE, streets, {"kind": "major_road", "name": "Rue du Test"}),
        ]
    )


def _layer(name: str, kind: int, shapes: list[Ring], tags: dict[str, str]) -> bytes:
    pairs = b"".join(_varint(number) for index in range(len(tags)) for number in (index, index))
    features = [_field(2, pairs) + _number(3, kind) + _field(4, _geometry(kind, shape)) for shape in shapes]
    keys = b"".join(_field(3, key.encode()) for key in tags)
    values = b"".join(_field(4, _field(1, value.encode())) for value in tags.values())
    content = _field(1, name.encode()) + b"".join(_field(2, one) for one in features) + keys + values
    return _field(3, content + _number(5, EXTENT) + _number(15, 2))


def _geometry(kind: int, points: Ring) -> bytes:
    numbers = [9, *_steps((0, 0), points[0]), len(points) - 1 << 3 | 2]
    for before, after in zip(points, points[1:], strict=False):
        numbers += _steps(before, after)
    return b"".join(_varint(number) for number in [*numbers, *([15] if kind == POLYGON else [])])


def _steps(before: tuple[int, int], after: tuple[int, int]) -> list[int]:
    return [(step << 1) ^ (step >> 31) for step in (after[0] - before[0], after[1] - before[1])]


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    more = []
    while value > 127:
        more.append(value & 127 | 128)
        value >>= 7
    return bytes([*more, value])


def _tile_id(zoom: int, column: int, row: int) -> int:
    """Return the number of a tile: all lower zooms first, then along a Hilbert curve."""
    number = sum(4**one for one in range(zoom))
    step = 2**zoom // 2
    while step:
        right, down = int(column & step > 0), int(row & step > 0)
        number += step * step * ((3 * right) ^ down)
        if not down:
            if right:
                column, row = step - 1 - column, step - 1 - row
            column, row = row, column
        step //= 2
    return number
