"""A reference for the nearest stations: every station is tried, by the angle between two vectors. No haversine."""

from math import atan2, cos, dist, radians, sin
from random import Random
from typing import TypedDict

EARTH_M = 6_371_009


class Point(TypedDict):
    lat: float
    lng: float


class Station(Point):
    id: str


def _points(random: Random, count: int) -> list[Point]:
    """Return points in cities, all over the globe, at both poles, and on both sides of the date line."""
    middles = [(45.76, 4.84), (36.7, 137.2), (-17.8, 179.99), (-17.8, -179.99), (89.99, 10.0), (-89.99, 200.0 - 360)]
    points: list[Point] = []
    for index in range(count):
        lat, lng = middles[index % len(middles)]
        if index % 4 == 0:
            points.append({"lat": random.uniform(-90, 90), "lng": random.uniform(-180, 180)})
            continue
        lng += random.uniform(-0.05, 0.05) if abs(lat) < 80 else random.uniform(0, 360)
        points.append({"lat": max(-90.0, min(90.0, lat + random.uniform(-0.05, 0.05))), "lng": (lng + 180) % 360 - 180})
    return points


POINTS = [
    *_points(Random(1), 996),
    {"lat": 90.0, "lng": 0.0},
    {"lat": -90.0, "lng": 0.0},
    {"lat": 0.0, "lng": 180.0},
    {"lat": 0.0, "lng": -180.0},
]
STATIONS: list[Station] = [{**point, "id": f"s{index:03}"} for index, point in enumerate(_points(Random(2), 300))]


def _vector(point: Point) -> tuple[float, float, float]:
    lat, lng = radians(point["lat"]), radians(point["lng"])
    return cos(lat) * cos(lng), cos(lat) * sin(lng), sin(lat)


def metres_between(one: Point, other: Point) -> float:
    a, b = _vector(one), _vector(other)
    opposite = (-b[0], -b[1], -b[2])
    return 2 * EARTH_M * atan2(dist(a, b), dist(a, opposite))


def nearest(stations: list[Station], point: Point, *, count: int, reach: float) -> list[tuple[str, float]]:
    found = sorted((metres_between(point, station), station["id"]) for station in stations)
    return [(key, metres) for metres, key in found if metres <= reach][:count]
