"""The operator's map file, of which a browser reads a few ranges at a time (HTTP Range)."""

import re
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?")
RANGE_BYTES_MAX = 4 * 2**20  # a tile has some hundred kilobytes, a directory less; so no answer holds a worker for long
YEAR_SECONDS = 365 * 24 * 3600
A_RANGE_IS_NEEDED = "Ask for a range of bytes: this file is read in parts.\n"


@require_safe
def map_file(request: HttpRequest) -> HttpResponse:
    """Return a range of the map file, or its first 4 MB. The address has the file's version, so caches may keep it.

    A request without a single range gets 416: whole files of this kind have gigabytes.
    """
    path = Path(settings.STATIONS_MAP_FILE)
    size, version = _size_and_version(path)
    headers = {"ETag": f'"{version}"', "Accept-Ranges": "bytes", "Cache-Control": _cache(request, version)}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    asked = RANGE.fullmatch(request.headers.get("Range", ""))
    first = int(asked[1]) if asked else size
    if not asked or first >= size or (asked[2] and int(asked[2]) < first):
        refused = {"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"}
        return HttpResponse(A_RANGE_IS_NEEDED, status=416, content_type="text/plain", headers=headers | refused)
    end = min(int(asked[2]) + 1 if asked[2] else size, first + RANGE_BYTES_MAX, size)
    with path.open("rb") as file:
        file.seek(first)
        content = file.read(end - first)
    headers |= {"Content-Range": f"bytes {first}-{end - 1}/{size}"}
    return HttpResponse(content, status=206, content_type="application/octet-stream", headers=headers)


def map_file_address() -> str:
    """Return the address of the map file as it is now; empty if the site has none."""
    if not settings.STATIONS_MAP_FILE:
        return ""
    return f"{reverse('stations:map-file')}?v={_size_and_version(Path(settings.STATIONS_MAP_FILE))[1]}"


def _size_and_version(path: Path) -> tuple[int, str]:
    stat = path.stat()
    return stat.st_size, f"{stat.st_size:x}-{stat.st_mtime_ns:x}"


def _cache(request: HttpRequest, version: str) -> str:
    lasting = request.GET.get("v") == version
    return f"public, max-age={YEAR_SECONDS}, immutable" if lasting else "no-cache"
