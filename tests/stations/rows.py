"""Rows of the operator's answers: good ones, and one bad one for each reason."""

from typing import Any

from stations.feeds.feed_interface import Bad


def v3(
    number: object = 1, *, bikes: object = 4, stands: object = 6, capacity: object = 10, **row: Any
) -> dict[str, Any]:
    """A good row of version 3, near the middle of Lyon, but for what is given."""
    available = {"bikes": bikes, "stands": stands, "mechanicalBikes": bikes, "electricalBikes": 0}
    return {
        "number": number,
        "contractName": "lyon",
        "name": f"{number} - PLACE BELLECOUR",
        "address": "Place Bellecour",
        "position": {"latitude": 45.757, "longitude": 4.832},
        "banking": True,
        "bonus": False,
        "status": "OPEN",
        "lastUpdate": "2026-05-01T23:46:39Z",
        "connected": True,
        "overflow": False,
        "totalStands": {"availabilities": available, "capacity": capacity},
    } | row


def v1(
    number: object = 1, *, bikes: object = 4, stands: object = 6, capacity: object = 10, **row: Any
) -> dict[str, Any]:
    """A good row of version 1, near the middle of Lyon, but for what is given."""
    return {
        "number": number,
        "contract_name": "lyon",
        "name": f"{number} - PLACE BELLECOUR",
        "address": "Place Bellecour",
        "position": {"lat": 45.757, "lng": 4.832},
        "banking": True,
        "bonus": False,
        "bike_stands": capacity,
        "available_bike_stands": stands,
        "available_bikes": bikes,
        "status": "OPEN",
        "last_update": 1740251050000,
    } | row


BAD_ROWS = {
    Bad.NOT_AN_OBJECT: "a station",
    Bad.NUMBER: v3("12"),
    Bad.CONTRACT: v3(21, contractName=None),
    Bad.OTHER_CONTRACT: v3(22, contractName="paris"),
    Bad.NAME: v3(23, name=["PLACE"]),
    Bad.STATUS: v3(24, status=1),
    Bad.COORDINATES: v3(25, position=None),
    Bad.COUNTS: v3(27, bikes=None),
    Bad.COUNTS_RANGE: v3(28, bikes=-1),
    Bad.SUM: v3(29, bikes=8, stands=8, capacity=10),
    Bad.NO_STANDS: v3(30, bikes=0, stands=0, capacity=0),
    Bad.DUPLICATE: v3(1),
    Bad.UNREADABLE: v3(31, name="\ud800"),
}
GOOD_ROWS = [v3(number) for number in range(1, 9)]
