"""The parts of an address that name a feed and a station."""


class FeedConverter:
    """A feed's name in an address: "jcdecaux-lyon" for "jcdecaux:lyon". Its first word has no hyphen."""

    regex = "[a-z]+(?:-[^/]+)?"

    def to_python(self, value: str) -> str:
        return value.replace("-", ":", 1)

    def to_url(self, value: str) -> str:
        return value.replace(":", "-", 1)


class StationIdConverter:
    """A station's id or a city in an address. It may hold any character, also slashes. Django quotes the others."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
