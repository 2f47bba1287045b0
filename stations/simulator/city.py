"""The invented stations of a real city: their places, names and sizes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stations.feeds.cities import Contract
from stations.simulator.seeded_random import chance

KM_PER_DEGREE = 111.2
RADIUS_KM_PER_ROOT = 0.25  # a city of n stations reaches about this times the root of n: 5.4 km in Lyon
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # puts each next station where most room is
CAPACITY_MIN, CAPACITY_MAX = 6, 60
CAPACITY_SPREAD = 0.35  # capacities lie this far around the city's mean
BROKEN_STAND_SHARE = 0.3  # of the stations have one stand out of order: bikes + free stands < capacity
SILENT_HEARTBEAT_SHARE = 0.002  # of the stations never give a `last_update`, as in the real feed

_WAYS = {
    "FR": ("Place {}", "Rue {}", "Quai {}", "Avenue {}", "Métro {}", "Gare {}", "Parc {}"),
    "BE": ("Place {}", "Rue {}", "Square {}", "Chaussée {}", "Gare {}", "Parvis {}"),
    "LU": ("Place {}", "Rue {}", "Boulevard {}", "Gare {}", "Parc {}"),
    "IE": ("{} Street", "{} Square", "{} Road", "{} Quay", "{} Place", "{} Bridge"),
    "ES": ("Calle {}", "Plaza {}", "Avenida {}", "Puente {}", "Estación {}", "Parque {}"),
    "SI": ("Trg {}", "Ulica {}", "{} - Most", "{} - Park", "{} - Postaja"),
    "SE": ("{} Torg", "{}gatan", "{}vägen", "{} Station", "{}parken"),
    "NO": ("{} Torg", "{}gata", "{}veien", "{} Stasjon"),
    "LT": ("{} Gatvė", "{} Aikštė", "{} Tiltas", "{} Parkas"),
    "JP": ("{} Station", "{} Park", "{} Bridge", "{} Street", "{} Square"),
}
_NAMES = {
    "FR": "Pasteur Gambetta Hugo Bellevue Jaurès Voltaire Carnot Lumière Zola Berlioz Mermoz Rabelais Curie Molière",
    "BE": "Royale Flagey Horta Albert Liberté Magritte Midi Simonis Brel Europe Meunier Léopold Wiels Marie",
    "LU": "Paris Gutenberg Liberté Hamilius Kirchberg Merl Schuman Adolphe Cloche Glacis Théâtre Étoile",
    "IE": "Smithfield Parnell Joyce Merrion Pearse Grattan Swift Yeats Heuston Portobello Capel Blessington",
    "ES": "Goya Cervantes Cádiz Falla Machado Colón Alameda Picasso Lorca Sorolla Júcar Murillo Serrano",
    "SI": "Prešeren Tivoli Cankar Lent Tabor Zmaj Plečnik Kino Vodnik Slomšek Bežigrad Breg",
    "SE": "Kloster Stor Bryggar Dom Linné Sol Botulf Väster Tun",
    "NO": "Stor Kirke Solheim Nittedal Voll Elve Torv",
    "LT": "Gedimino Vilnia Katedros Pilies Rotušė Vingis Neries Užupis Žvėrynas Lukiškių",
    "JP": "Toyama Marunouchi Sogawa Jindai Kansui Ushijima Hiyoshi Nishicho Sakura",
}
_CORNERS = ("", "", "", " II", " - A", " - B")

Luck = Callable[[str], float]  # one station's random number for one of its properties


@dataclass(frozen=True, slots=True)
class SimulatedStation:
    """The constant facts of an invented station."""

    contract: Contract
    number: int
    name: str
    address: str
    lat: float
    lng: float
    capacity: int
    usable: int  # stands that work
    draw: float  # from -1, where people live, to +1, where they work: the direction of the tide here
    fullness: float  # the share of bikes when no tide runs
    electrical_share: float
    banking: bool
    tells_heartbeat: bool


def stations_of(contract: Contract, seed: int) -> list[SimulatedStation]:
    """Return the contract's stations, always the same for one seed."""
    raw_draws = [_raw_draw(contract, seed, index) for index in range(contract.stations)]
    # Bikes that leave the homes must arrive at work: the draws of a city add up to zero.
    middle = sum(raw_draws) / len(raw_draws)
    return [_station(contract, seed, index, draw - middle) for index, draw in enumerate(raw_draws)]


def _raw_draw(contract: Contract, seed: int, index: int) -> float:
    outwards = (index + 0.5) / contract.stations  # the share of the area within; half of the stations are homes
    return 1 - 2 * outwards + 0.8 * (chance(seed, contract.name, index, "draw") - 0.5)


def _station(contract: Contract, seed: int, index: int, draw: float) -> SimulatedStation:
    def luck(about: str) -> float:
        return chance(seed, contract.name, index, about)

    number = index + 1 if contract.stations < 100 else 1000 * (index % 9 + 1) + index // 9 + 1
    name, address = _called(contract, luck)
    mean = contract.docks / contract.stations
    capacity = round(mean * (1 + CAPACITY_SPREAD * (2 * luck("capacity") - 1)))
    capacity = min(max(capacity, CAPACITY_MIN), CAPACITY_MAX)
    lat, lng = _place(contract, index, luck)
    return SimulatedStation(
        contract=contract,
        number=number,
        name=f"{number} - {name.upper()}",
        address=address,
        lat=lat,
        lng=lng,
        capacity=capacity,
        usable=capacity - (luck("broken") < BROKEN_STAND_SHARE),
        draw=max(-1.0, min(1.0, draw)),
        fullness=0.23 + 0.5 * luck("fullness"),
        electrical_share={"mechanical": 0.0, "electrical": 1.0}.get(contract.kinds, 0.3 + 0.4 * luck("electrical")),
        banking=luck("banking") < 0.4,
        tells_heartbeat=luck("heartbeat") >= SILENT_HEARTBEAT_SHARE,
    )


def _place(contract: Contract, index: int, luck: Luck) -> tuple[float, float]:
    """Return a place on a spiral like that of sunflower seeds, moved a little at random."""
    reach = RADIUS_KM_PER_ROOT * math.sqrt(contract.stations)
    km = reach * math.sqrt((index + 0.5) / contract.stations) * (0.9 + 0.2 * luck("distance"))
    angle = index * GOLDEN_ANGLE + 0.6 * luck("angle")
    lat = contract.lat + km * math.sin(angle) / KM_PER_DEGREE
    lng = contract.lng + km * math.cos(angle) / KM_PER_DEGREE / math.cos(math.radians(contract.lat))
    return round(lat, 6), round(lng, 6)


def _called(contract: Contract, luck: Luck) -> tuple[str, str]:
    ways, names = _WAYS[contract.country], _NAMES[contract.country].split()

    def pick(choices: Sequence[str], about: str) -> str:
        return choices[int(luck(about) * len(choices))]

    name = pick(ways, "way").format(pick(names, "name")) + pick(_CORNERS, "corner")
    street = pick(ways, "address way").format(pick(names, "address name"))
    address = f"{1 + int(luck('house') * 120)}, {street}" if luck("address") > 0.2 else ""
    return name, address
