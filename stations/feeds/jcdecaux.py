"""JCDecaux's own API, versions 1 and 3: it wants a key, and refreshes once a minute. Data under an Open Licence."""

from collections import Counter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from stations.feeds import jcdecaux_rows
from stations.feeds.base import Fetched, PollFailed
from stations.feeds.failures import Failure
from stations.feeds.http import HttpClient
from stations.feeds.sieve import Sieve

SOURCE = "jcdecaux"
BASE_URL = "https://api.jcdecaux.com/vls/v3"

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_CONTRACTS = msgspec.json.Decoder(list[dict[str, Any]])


class UnknownVersion(ValueError):
    """The base URL does not end in a version of the API that we can read."""


class ListedContract(NamedTuple):
    """One contract as `/contracts` lists it; closed ones stay listed. `name` is case-folded."""

    name: str
    commercial_name: str | None
    country: str | None
    cities: tuple[str, ...]


class JCDecauxFeed:
    """All stations behind a key, or those of one contract. `source` differs for what only speaks this API."""

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        key: str = "",
        contract: str | None = None,
        source: str = SOURCE,
        **limits: Any,
    ) -> None:
        """`base_url` ends in its version, `/vls/v1` or `/vls/v3`; `limits` are those of `HttpClient`."""
        self.source = source
        self.contract = contract.casefold() if contract else None
        self.name = f"{source}:{self.contract}" if self.contract else source
        self._read = _reader(base_url)
        self._http = HttpClient(base_url, key=key, **limits)

    def fetch(self) -> Fetched:
        """Ask once for all stations of the feed. Raises PollFailed."""
        query = {"contract": self.contract} if self.contract else {}
        rows = _list(self._http.get("stations", **query), _ROWS)
        if not rows:
            raise PollFailed(Failure.EMPTY)
        return self._sifted(rows)

    def contracts(self) -> list[ListedContract]:
        """The contracts this key may see, without those that are no city's. Raises PollFailed."""
        listed = _list(self._http.get("contracts"), _CONTRACTS)
        return [_contract(row) for row in listed if isinstance(row.get("name"), str) and row.get("cities")]

    def close(self) -> None:
        self._http.close()

    def _sifted(self, rows: list[msgspec.Raw]) -> Fetched:
        sieve = Sieve(source=self.source, contract=self.contract)
        jcdecaux_rows.sift(rows, self._read, sieve)
        fetched = sieve.fetched()
        if not fetched.readings:
            raise PollFailed(Failure.NOTHING_GOOD, _counted(fetched.bad))
        return fetched


def _reader(base_url: str) -> jcdecaux_rows.Reader:
    version = urlsplit(base_url).path.rstrip("/").rpartition("/")[2]
    try:
        return jcdecaux_rows.READERS[version]
    except KeyError:
        known = " or ".join(f"/vls/{version}" for version in jcdecaux_rows.READERS)
        raise UnknownVersion(f"The address of a JCDecaux feed ends in {known}.") from None


def _list(body: bytes, decoder: msgspec.json.Decoder[Any]) -> list[Any]:
    """The decoded answer. Raises PollFailed, outside of the decoder's error: that one quotes the answer."""
    failure = Failure.NOT_JSON
    try:
        return decoder.decode(body)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        failure = Failure.NOT_A_LIST
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise PollFailed(failure)


def _contract(row: dict[str, Any]) -> ListedContract:
    cities = tuple(city for city in row["cities"] if isinstance(city, str))
    commercial_name = row.get("commercial_name", row.get("commercialName"))
    return ListedContract(
        row["name"].casefold(), commercial_name, row.get("country_code", row.get("countryCode")), cities
    )


def _counted(bad: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(bad.items()))
