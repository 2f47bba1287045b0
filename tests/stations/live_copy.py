"""A copy of the live state, made of nothing but the frames of the stations' socket, as our page makes one."""

import json
import zlib
from collections import defaultdict
from collections.abc import Collection
from typing import Any

WORLD = ""
HAPPENED = {"kinds": [], "taken": 0, "returned": 0, "taken_electrical": None, "returned_electrical": None}
IMPLIED = ("taken", "returned")

Row = dict[str, Any]


def decoded(message: str | bytes) -> dict[str, Any]:
    """The frame in a message; bytes are compressed."""
    frame: dict[str, Any] = json.loads(zlib.decompress(message) if isinstance(message, bytes) else message)
    return frame


class LiveCopy:
    """What a client holds: rows by channel and number, and how far it is with each channel."""

    def __init__(self) -> None:
        self.epoch = ""
        self.seqs: dict[str, int] = {}
        self.fields: dict[str, list[str]] = {}
        self.rows: defaultdict[str, dict[int, Row]] = defaultdict(dict)
        self.epochs: dict[str, str] = {}  # of the rows of each channel

    def take(self, frame: dict[str, Any]) -> bool:
        """Apply a frame. False: something is missing before it, and the client has to subscribe again."""
        match frame["type"]:
            case "snapshot":
                self._take_snapshot(frame)
            case "delta":
                return self._take_delta(frame)
            case "subscribed":
                for name in [name for name in self.rows if self.epochs.get(name, self.epoch) != self.epoch]:
                    del self.rows[name]
            case "tick":
                return all(self.seqs.get(name) == seq for name, seq in frame["seqs"].items())
        return True

    def follow(self, contracts: Collection[str]) -> None:
        """Forget all cities but these, and the sums, which left out the cities that were followed so far."""
        for name in [name for name in self.seqs if name not in contracts]:
            del self.seqs[name], self.rows[name]

    @property
    def since(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seqs": dict(self.seqs)}

    @property
    def stations(self) -> dict[str, Row]:
        cities = [rows for name, rows in self.rows.items() if name != WORLD]
        return {f"{row['feed']}/{row['station_id']}": row for rows in cities for row in rows.values()}

    @property
    def cities(self) -> dict[str, Row]:
        return {row["contract"]: row for row in self.rows[WORLD].values()}

    def _take_snapshot(self, frame: dict[str, Any]) -> None:
        if frame["epoch"] != self.epoch:
            self.seqs, self.epoch = {}, frame["epoch"]
        name = frame["contract"]
        self.epochs[name] = self.epoch
        self.seqs[name], self.fields[name] = frame["seq"], frame["fields"]
        rows = zip(*frame["columns"], strict=True)
        self.rows[name] = {
            number: self._timed(dict(zip(frame["fields"], row, strict=False)), frame["at"])
            for number, row in zip(frame["numbers"], rows, strict=True)
        }

    def _take_delta(self, frame: dict[str, Any]) -> bool:
        name, held = frame["contract"], self.seqs.get(frame["contract"])
        if frame["epoch"] != self.epoch or held is None or frame["prev"] > held:
            return False
        self.seqs[name] = max(held, frame["seq"])
        for number, *parts in frame["changes"]:
            told = dict(zip((self.fields[name][field] for field in parts[::2]), parts[1::2], strict=True))
            if not parts:
                self.rows[name].pop(number, None)
            else:
                kept = {field: value for field, value in told.items() if field not in HAPPENED}
                self.rows[name].setdefault(number, {}).update(self._timed(kept, frame["at"]))
        return True

    def _timed(self, row: Row, at: int) -> Row:
        """The row, its times as milliseconds since 1970."""
        return {
            name: at - value if name.endswith("_at") and value is not None else value for name, value in row.items()
        }

    def happened(self, frame: dict[str, Any]) -> tuple[list[Row], list[str]]:
        """The stations of a delta as they are after it, each with what happened, and the ids of those removed.

        To be asked before the frame is taken.
        """
        name, before = frame["contract"], {**self.rows[frame["contract"]]}
        assert self.take(frame), "a gap"
        changes, removed = [], []
        for number, *parts in frame["changes"]:
            row = self.rows[name].get(number)
            if row is None:
                removed += [_id(before[number])] if number in before else []
                continue
            told = HAPPENED | {
                self.fields[name][field]: value for field, value in zip(parts[::2], parts[1::2], strict=True)
            }
            kinds = [kind for kind in IMPLIED if told[kind]] + told["kinds"]
            changes.append({"id": _id(row), **row, **{field: told[field] for field in HAPPENED}, "kinds": kinds})
        return changes, removed


def _id(row: Row) -> str:
    """The id of a station, or the contract of a city."""
    return f"{row['feed']}/{row['station_id']}" if "station_id" in row else str(row["contract"])
