"""JCDecaux's own API, versions 1 and 3. It needs a key and refreshes once a minute. Data under an Open Licence."""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import msgspec

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Fetched, ListedContract, PollFailed
from stations.feeds.formats import jcdecaux_rows
from stations.feeds.http import ANSWER_BYTES_MAX, HttpClient
from stations.feeds.validation import RowFilter

SOURCE = "jcdecaux"
WORLD_BYTES_MAX = (
    4 * 2**20
)  # all contracts at once: some 3,000 stations of 760 bytes, so 2.3 MB; twice that is a mistake
BASE_URL = "https://api.jcdecaux.com/vls/v3"

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class UnknownVersion(ValueError):
    """The base URL does not end in a supported version of the API."""


class _ContractRow(msgspec.Struct):
    name: str | None = None
    commercial_name: str | None = None
    country_code: str | None = None
    cities: list[str] | None = None


_CONTRACT = msgspec.json.Decoder(_ContractRow)


class JCDecauxFeed:
    """The feed of all stations that its key may see, or of one contract. `source` is the first word of its name."""

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        key: str = "",
        contract: str | None = None,
        source: str = SOURCE,
        **limits: Any,
    ) -> None:
        """Make a feed. `base_url` ends in its version, `/vls/v1` or `/vls/v3`; `limits` are those of `HttpClient`."""
        self.contract = contract.casefold() if contract else None
        self.name = f"{source}:{self.contract}" if self.contract else source
        self.url = base_url
        self._read = _reader(base_url)
        bytes_max = ANSWER_BYTES_MAX if contract else WORLD_BYTES_MAX
        self._http = HttpClient(base_url, name=self.name, key=key, bytes_max=bytes_max, **limits)

    def fetch(self) -> Fetched:
        """Fetch all stations of the feed once. Raises PollFailed if the answer is missing or unusable."""
        query = {"contract": self.contract} if self.contract else {}
        rows = _rows(self._http.get("stations", **query))
        if not rows:
            raise PollFailed(Failure.EMPTY)
        return self._sifted(rows)

    def contracts(self) -> list[ListedContract]:
        """List the contracts that this key may see, without those that have no city. Raises PollFailed as `fetch`."""
        rows = [_contract(row) for row in _rows(self._http.get("contracts"))]
        return [row for row in rows if row is not None]

    def close(self) -> None:
        """Do nothing: each answer has a connection of its own."""

    def _sifted(self, rows: list[msgspec.Raw]) -> Fetched:
        row_filter = RowFilter(contract=self.contract)
        ids = jcdecaux_rows.StationIds(self.name, self.contract)
        jcdecaux_rows.filter_rows(rows, self._read, ids, row_filter)
        fetched = row_filter.fetched()
        if not fetched.readings:
            raise PollFailed(Failure.NOTHING_GOOD, _counted(fetched.bad), faults=fetched.faults)
        return fetched


def _reader(base_url: str) -> jcdecaux_rows.Reader:
    version = urlsplit(base_url).path.rstrip("/").rpartition("/")[2]
    try:
        return jcdecaux_rows.READERS[version]
    except KeyError:
        known = " or ".join(f"/vls/{version}" for version in jcdecaux_rows.READERS)
        raise UnknownVersion(f"The address of a JCDecaux feed ends in {known}.") from None


def _rows(body: bytes) -> list[msgspec.Raw]:
    """Return the answer's undecoded rows.

    Raises PollFailed. It is not chained to the decoder's error, which quotes the answer.
    """
    try:
        return _ROWS.decode(body)
    except msgspec.ValidationError:
        failure = Failure.NOT_A_LIST
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if rows := _rows_with_broken_text(body):
            return rows
        failure = Failure.NOT_JSON
    raise PollFailed(failure)


def _rows_with_broken_text(body: bytes) -> list[msgspec.Raw]:
    """Decode an answer in which a row holds half a character, so that only that row is unreadable."""
    try:
        rows = json.loads(body.decode(errors="surrogateescape"))
    except (ValueError, RecursionError):
        return []
    return [msgspec.Raw(json.dumps(row).encode()) for row in rows] if isinstance(rows, list) else []


def _contract(raw: msgspec.Raw) -> ListedContract | None:
    try:
        row = _CONTRACT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not row.name or not row.cities:
        return None
    return ListedContract(row.name.casefold(), row.commercial_name, row.country_code, tuple(row.cities))


def _counted(bad: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(bad.items()))
