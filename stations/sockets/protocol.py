"""The requests that a browser may send on the stations' socket, parsed strictly."""

from typing import Annotated, Any, Literal

import msgspec

from stations.live.channel import Contracts

MESSAGE_BYTES_MAX = 16_384  # a request that names 100 contracts, with their seqs, has half of that
CONTRACTS_MAX = 100  # a client that follows all contracts sends "*"
STATION_ID_MAX = 200  # characters: feed and station id

ContractName = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class BadRequest(Exception):
    """The request is invalid. `code` is for programs, `message` for people; a `fatal` one ends the socket."""

    def __init__(self, code: str, message: str, *, fatal: bool) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fatal = fatal


class Since(msgspec.Struct, frozen=True):
    """The state that the browser holds already: for each contract the seq of its last frame, within `epoch`."""

    epoch: str
    seqs: Annotated[dict[str, Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=CONTRACTS_MAX + 1)]


class Subscribe(msgspec.Struct, frozen=True):
    """A subscription to contracts, from `since` on. A later one replaces the earlier.

    With `world` the socket also sends the sums of all cities, and later those of the cities that are not followed.
    `station` is the id of the station whose page this is. The socket then also sends the fragments that other apps draw
    on that page.
    """

    contracts: Annotated[list[ContractName], msgspec.Meta(max_length=CONTRACTS_MAX)] | Literal["*"]
    world: bool = False
    since: Since | None = None
    station: Annotated[str, msgspec.Meta(max_length=STATION_ID_MAX)] | None = None

    def __post_init__(self) -> None:
        if not self.contracts and not self.world:
            raise ValueError("Follow a contract, or the world.")

    @property
    def followed(self) -> Contracts | None:
        """The contracts to follow; None is all."""
        return None if self.contracts == "*" else frozenset(name.casefold() for name in self.contracts)


class _Any(msgspec.Struct):
    type: str
    since: Any = None


_any = msgspec.json.Decoder(_Any).decode
_subscribe = msgspec.json.Decoder(Subscribe).decode


def read(text: str | None) -> Subscribe:
    """Return the request in a socket's message. Raises BadRequest if there is none that is valid."""
    if text is None:
        raise BadRequest("not_text", "Send JSON as text.", fatal=True)
    try:
        if len(text.encode()) > MESSAGE_BYTES_MAX:
            raise BadRequest("too_large", f"A message has at most {MESSAGE_BYTES_MAX} bytes.", fatal=True)
        asked = _any(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BadRequest("bad_json", 'A message is a JSON object with a "type".', fatal=True) from None
    if asked.type != "subscribe":
        raise BadRequest("unknown_type", 'The only request is "subscribe".', fatal=True)
    if _is_old(asked):
        raise BadRequest("old_protocol", "The site has changed: load the page again.", fatal=True)
    try:
        return _subscribe(text)
    except msgspec.ValidationError as error:
        raise BadRequest("bad_subscribe", str(error), fatal=False) from None


def _is_old(asked: _Any) -> bool:
    """Return True for a page of protocol 1, which counted all changes together. It can read no frame of ours."""
    return isinstance(asked.since, dict) and "seq" in asked.since
