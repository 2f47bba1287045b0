"""The operator's map file, of which a browser reads a few ranges at a time (HTTP Range)."""

import os
import re
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from stations.all_languages import same_in_all_languages

RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?")
RANGE_BYTES_MAX = 4 * 2**20  # a tile has some hundred kilobytes, a directory less; so no answer holds a worker for long
YEAR_SECONDS = 365 * 24 * 3600
A_RANGE_IS_NEEDED = "Ask for a range of bytes: this file is read in parts.\n"


@require_safe
@same_in_all_languages
def map_file(request: HttpRequest) -> HttpResponse:
    """Return a range of the map file, or its first 4 MB. The address has the file's version, so caches may keep it.

    A request without a single range gets 416: whole files of this kind have gigabytes.
    """
    try:
        with Path(settings.STATIONS_MAP_FILE).open("rb") as file:
            return _range_of(file, request)
    except OSError as error:  # somebody took it away, or its disk is not there
        raise Http404 from error


def _range_of(file: BinaryIO, request: HttpRequest) -> HttpResponse:
    size, version = _size_and_version(os.fstat(file.fileno()))
    headers = {"ETag": f'"{version}"', "Accept-Ranges": "bytes", "Cache-Control": _cache(request, version)}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    asked = RANGE.fullmatch(request.headers.get("Range", ""))
    first = int(asked[1]) if asked else size
    if not asked or first >= size or (asked[2] and int(asked[2]) < first):
        refused = {"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"}
        return HttpResponse(A_RANGE_IS_NEEDED, status=416, content_type="text/plain", headers=headers | refused)
    end = min(int(asked[2]) + 1 if asked[2] else size, first + RANGE_BYTES_MAX, size)
    file.seek(first)
    content = file.read(end - first)
    headers |= {"Content-Range": f"bytes {first}-{end - 1}/{size}"}
    return HttpResponse(content, status=206, content_type="application/octet-stream", headers=headers)


def map_file_address() -> str:
    """Return the address of the map file as it is now; empty if the site has none, or cannot read it any more."""
    if not settings.STATIONS_MAP_FILE:
        return ""
    try:
        stat = Path(settings.STATIONS_MAP_FILE).stat()
    except OSError:
        return ""
    return f"{reverse('stations:map-file')}?v={_size_and_version(stat)[1]}"


def _size_and_version(stat: os.stat_result) -> tuple[int, str]:
    return stat.st_size, f"{stat.st_size:x}-{stat.st_mtime_ns:x}"


def _cache(request: HttpRequest, version: str) -> str:
    lasting = request.GET.get("v") == version
    return f"public, max-age={YEAR_SECONDS}, immutable" if lasting else "no-cache"
