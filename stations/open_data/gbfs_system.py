"""The documents of GBFS that describe a system: discovery, versions, the system itself, and the manifest of all."""

from collections.abc import Iterable
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from stations.feeds.active_feeds import ActiveFeed
from stations.feeds.cities import BY_NAME
from stations.feeds.registry import is_recorded, is_simulated
from stations.open_data.gbfs_documents import OF_STATIONS, VERSIONS, System, language_of, told
from stations.open_data.sources import source_of
from stations.services.statistics import city_name, city_zone

OPENING_HOURS = 'unknown "not given by the source"'  # in OpenStreetMap's words, which GBFS demands
NO_DOMAIN = "example.org"  # reserved for no one (RFC 2606), and of a form that every validator takes


def system_id(feed: str) -> str:
    """Return an id that no other system has: the feed's name in addresses, and the host of this site."""
    return f"{feed.replace(':', '-', 1)}.{urlsplit(settings.SITE_URL).hostname}"


def contact() -> str:
    """Return the mail address of this site. A host without a domain, as on a local site, becomes NO_DOMAIN."""
    name, _, host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")
    return f"{name}@{host if '.' in host else NO_DOMAIN}"


def address_of(name: str, feed: str, version: str, base: str) -> str:
    """Return the whole address of a document. `base` is scheme and host by which this site is asked."""
    return base + reverse("stations:gbfs", args=[feed, version, name])


def discovery(system: System, version: str, base: str) -> dict[str, Any]:
    lacking = set() if system.has_kinds else {"vehicle_types"}
    names = ["gbfs", "gbfs_versions", "system_information", *sorted(OF_STATIONS.keys() - lacking)]
    return {"feeds": [{"name": name, "url": address_of(name, system.feed, version, base)} for name in names]}


def versions(system: System, version: str, base: str) -> dict[str, Any]:
    return {"versions": _versions(system.feed, version, base)}


def system_information(system: System, version: str, base: str) -> dict[str, Any]:
    source, contract = source_of(system.feed), system.contract
    here = base + reverse("stations:feed", args=[system.feed])
    data: dict[str, Any] = {
        "system_id": system_id(system.feed),
        "languages": [language_of(contract)],
        "name": told(name_of(system), contract),
        "opening_hours": OPENING_HOURS,
        "timezone": city_zone(contract) if contract else "UTC",
        "feed_contact_email": contact(),
        "manifest_url": base + reverse("stations:gbfs-manifest", args=[version]),
        "attribution_organization_name": told(source.name, contract),
        "attribution_url": source.url or here,
    }
    # Without a licence GBFS means the public domain. Our page says whose licence it is instead.
    if source.licence_id:
        return data | {"license_id": source.licence_id}
    return data | {"license_url": source.licence_url or here}


def manifest(feeds: Iterable[ActiveFeed], version: str, base: str) -> dict[str, Any]:
    return {"datasets": [_dataset(feed, version, base) for feed in feeds]}


OF_THE_SYSTEM = {"gbfs": discovery, "gbfs_versions": versions, "system_information": system_information}


def name_of(system: System) -> str:
    """Return the name of the service, or of its city. One that is invented or recorded says so."""
    contract = system.contract
    known = BY_NAME.get(contract or "")
    name = known.commercial_name if known else city_name(contract) if contract else system.feed
    if is_recorded(system.feed):
        return f"{name} (recorded)"
    return f"{name} (simulated)" if is_simulated(system.feed) else name


def _versions(feed: str, version: str, base: str) -> list[dict[str, str]]:
    """Return the versions up to this one: the schema of a version knows no later ones."""
    known = [one for one in VERSIONS if one <= version]
    return [{"version": VERSIONS[one], "url": address_of("gbfs", feed, one, base)} for one in known]


def _dataset(feed: ActiveFeed, version: str, base: str) -> dict[str, Any]:
    data: dict[str, Any] = {"system_id": system_id(feed.name), "versions": _versions(feed.name, version, base)}
    if version != "3.0" and feed.contract in BY_NAME:
        data["country_code"] = BY_NAME[feed.contract].country
    return data
