"""The stations near a station, with the way on foot. static/stations/nearest.js computes the same in the browser."""

from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from stations.models import Station

EARTH_M = 6_371_009  # the mean radius
DETOUR = 1.3  # streets are about this much longer than the straight line
WALKING_M_PER_MINUTE = 75  # 4.5 km/h
NEIGHBOURS = 5  # on a station's page
REACH_DEGREES = 0.05  # of latitude, some 5 km: further is no neighbour


class Neighbour(NamedTuple):
    """A station and the straight distance to it in metres."""

    station: Station
    metres: float

    @property
    def minutes(self) -> int:
        return max(1, round(self.metres * DETOUR / WALKING_M_PER_MINUTE))


def neighbours(station: Station) -> list[Neighbour]:
    """Return the nearest stations of the same feed and city, nearest first."""
    near = (station.lat - REACH_DEGREES, station.lat + REACH_DEGREES)
    others = Station.objects.filter(feed=station.feed, contract=station.contract, gone=False, held="", lat__range=near)
    found = [Neighbour(other, metres_between(station, other)) for other in others.exclude(pk=station.pk)]
    return sorted(found, key=lambda one: one.metres)[:NEIGHBOURS]


def metres_between(one: Station, other: Station) -> float:
    """Return the straight distance over the globe, by the haversine formula."""
    across = cos(radians(one.lat)) * cos(radians(other.lat)) * _half_sine(other.lng - one.lng)
    return 2 * EARTH_M * asin(min(1.0, sqrt(_half_sine(other.lat - one.lat) + across)))


def _half_sine(degrees: float) -> float:
    return sin(radians(degrees) / 2) ** 2
