"""The cities where JCDecaux has stations in service: their coordinates, sizes and time zones.

JCDecaux calls the bike system of a city a contract, such as "lyon". The facts are as of 2026-07, from JCDecaux under
the Open Licence. The simulator builds its stations from them. Pages take a city's name and time zone from here. For
a contract that is missing here they show the contract's own name, and times in UTC.
"""

from typing import NamedTuple


class Contract(NamedTuple):
    """One contract: a city's bike system. `docks` counts the stands of all its stations, `kinds` names its bikes."""

    name: str  # case-folded, as in keys
    commercial_name: str
    country: str  # ISO 3166-1
    city: str
    lat: float  # the middle of its stations
    lng: float
    stations: int
    docks: int
    kinds: str  # "mechanical", "electrical" or "both"
    zone: str  # IANA time zone


LIVE = (
    Contract("amiens", "Velam", "FR", "Amiens", 49.8912, 2.2959, 46, 850, "both", "Europe/Paris"),
    Contract("besancon", "VéloCité", "FR", "Besançon", 47.2398, 6.0258, 34, 472, "both", "Europe/Paris"),
    Contract("bruxelles", "Villo!", "BE", "Bruxelles", 50.8440, 4.3587, 350, 8300, "both", "Europe/Brussels"),
    Contract("dublin", "dublinbikes", "IE", "Dublin", 53.3443, -6.2632, 117, 3697, "both", "Europe/Dublin"),
    Contract("lillestrom", "Bysykkel", "NO", "Lillestrøm", 59.9580, 11.0474, 7, 120, "mechanical", "Europe/Oslo"),
    Contract("ljubljana", "BicikeLJ", "SI", "Ljubljana", 46.0546, 14.5103, 87, 1706, "mechanical", "Europe/Ljubljana"),
    Contract("lund", "Lundahoj", "SE", "Lund", 55.7081, 13.1963, 21, 532, "mechanical", "Europe/Stockholm"),
    Contract(
        "luxembourg", "vel'OH!", "LU", "Luxembourg", 49.6132, 6.1264, 146, 2791, "electrical", "Europe/Luxembourg"
    ),
    Contract("lyon", "Vélo'v", "FR", "Lyon", 45.7595, 4.8505, 465, 9580, "both", "Europe/Paris"),
    Contract("maribor", "MBajk", "SI", "Maribor", 46.5539, 15.6451, 42, 841, "mechanical", "Europe/Ljubljana"),
    Contract("namur", "Li Bia Vélo", "BE", "Namur", 50.4639, 4.8622, 27, 392, "mechanical", "Europe/Brussels"),
    Contract("nancy", "vélOstan'lib", "FR", "Nancy", 48.6892, 6.1795, 41, 692, "mechanical", "Europe/Paris"),
    Contract("nantes", "Naolib", "FR", "Nantes", 47.2143, -1.5554, 122, 2411, "mechanical", "Europe/Paris"),
    Contract("seville", "Sevici", "ES", "Sevilla", 37.3886, -5.9816, 248, 4754, "mechanical", "Europe/Madrid"),
    Contract("toulouse", "VélôToulouse", "FR", "Toulouse", 43.6020, 1.4432, 462, 7839, "both", "Europe/Paris"),
    Contract("toyama", "CyclOcity", "JP", "Toyama", 36.6989, 137.2127, 26, 461, "mechanical", "Asia/Tokyo"),
    Contract("valence", "Valenbisi", "ES", "València", 39.4712, -0.3735, 279, 5466, "mechanical", "Europe/Madrid"),
    Contract("vilnius", "Cyclocity", "LT", "Vilnius", 54.6889, 25.2825, 36, 615, "mechanical", "Europe/Vilnius"),
)

BY_NAME = {contract.name: contract for contract in LIVE}
