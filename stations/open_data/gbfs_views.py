"""The pages of GBFS: each document of a feed in each version, and the manifest of all feeds."""

import msgspec
from django.http import Http404, HttpRequest, HttpResponse

from stations.feeds.active_feeds import active_feeds
from stations.open_data.answers import answer, body_of, open_data
from stations.open_data.gbfs_documents import INFORMATION_TTL_SECONDS, OF_STATIONS, VERSIONS, envelope
from stations.open_data.gbfs_system import OF_THE_SYSTEM, manifest
from stations.open_data.kept_systems import KeptSystem, feeds_health, kept_system

NO_FEED = "No feed in use has this name."
NO_VERSION = f"GBFS is served in the versions {' and '.join(VERSIONS)}."
NO_DOCUMENT = "This system has no such document: gbfs.json lists those that it has."


@open_data
def gbfs(request: HttpRequest, feed: str, version: str, document: str) -> HttpResponse:
    """Return a document of a feed in use. Raises Http404 for an unknown feed, version or document."""
    found = active_feeds().named(feed)
    if found is None:
        raise Http404(NO_FEED)
    _check(version)
    if document not in OF_THE_SYSTEM and document not in OF_STATIONS:
        raise Http404(NO_DOCUMENT)
    kept = kept_system(found)
    if document in OF_THE_SYSTEM:
        return _of_the_system(request, kept, version, document)
    if document == "vehicle_types" and not kept.system.has_kinds:
        raise Http404(NO_DOCUMENT)
    return answer(request, kept.body(document, version))


@open_data
def gbfs_manifest(request: HttpRequest, version: str) -> HttpResponse:
    """Return the manifest: all feeds in use that have been polled, with the addresses of their versions."""
    _check(version)
    polled = [health for health in feeds_health() if health.good_at is not None]
    at = max((health.good_at for health in polled if health.good_at), default=None)
    if at is None:
        raise Http404(NO_FEED)
    data = manifest([health.feed for health in polled], version, _base(request))
    content = envelope(data, version=version, updated_at=at, ttl_seconds=INFORMATION_TTL_SECONDS)
    body = body_of(msgspec.json.encode(content), changed_at=at, max_age_seconds=INFORMATION_TTL_SECONDS)
    return answer(request, body)


def _of_the_system(request: HttpRequest, kept: KeptSystem, version: str, document: str) -> HttpResponse:
    """Return a document with addresses: they begin as the request does, so none of these is kept."""
    data = OF_THE_SYSTEM[document](kept.system, version, _base(request))
    updated_at, ttl = kept.system.updated_at, max(kept.system.ttl_seconds, INFORMATION_TTL_SECONDS)
    content = envelope(data, version=version, updated_at=updated_at, ttl_seconds=ttl)
    body = body_of(msgspec.json.encode(content), changed_at=kept.changed_at, max_age_seconds=ttl)
    return answer(request, body)


def _check(version: str) -> None:
    if version not in VERSIONS:
        raise Http404(NO_VERSION)


def _base(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"
