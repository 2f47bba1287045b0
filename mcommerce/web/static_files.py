"""Static files of a deployed site, under names that change with their content."""

import asyncio
from typing import Any

from django.conf import settings
from whitenoise import WhiteNoise
from whitenoise.storage import CompressedManifestStaticFilesStorage

from mcommerce.web.own_files.storage import OwnFiles, is_ours

HASHED_NAME = r"\.[0-9a-f]{12}\."  # what Django's manifest storage puts into a name; such a file never changes

BLOCK_BYTES = 64 * 1024  # of a file, held while it is sent: a slow visitor must not keep a whole library in memory

NOT_LOADED = "django_htmx/ext/"  # they import htmx by a bare name, which only bundlers understand


class HashedFiles(CompressedManifestStaticFilesStorage):
    """A storage that bundles, minifies, hashes and compresses files.

    It also hashes imports of JavaScript modules, so none is stale. It minifies the project's own files only, and puts
    the modules that a script imports into it.
    """

    support_js_module_import_aggregation = True

    def post_process(self, paths: dict[str, Any], *options: Any, **more: Any) -> Any:
        """Minify, hash and compress the collected files, but for those that no page loads."""
        loaded = {name: _minified(*held) for name, held in paths.items() if not name.startswith(NOT_LOADED)}
        yield from super().post_process(loaded, *options, **more)


def _minified(storage: Any, path: str) -> tuple[Any, str]:
    return (OwnFiles(storage) if is_ours(storage, path) else storage), path


def before(pages: Any) -> WhiteNoise:
    """Return a WSGI application that serves the static files and leaves the rest to `pages`."""
    return WhiteNoise(
        pages, root=settings.STATIC_ROOT, prefix=settings.STATIC_URL, immutable_file_test=HASHED_NAME, max_age=60
    )


class StaticFiles:
    """An ASGI application that serves the static files, and answers 404 at other addresses.

    Threads read the files, and the request's own task sends them. A thread that sends through asgiref leaves its
    executor in the context of the connection. Then the next request of that connection fails.
    """

    def __init__(self) -> None:
        self._files = before(None).files

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        file = self._files.get(scope["path"])
        if file is None:
            await _send_start(send, 404, [("Content-Type", "text/plain")])
            await send({"type": "http.response.body", "body": b"Not found"})
            return
        answer = await asyncio.to_thread(file.get_response, scope["method"], _environ(scope))
        try:
            await _send_start(send, answer.status, answer.headers)
            while answer.file and (block := await asyncio.to_thread(answer.file.read, BLOCK_BYTES)):
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            if answer.file:
                answer.file.close()


async def _send_start(send: Any, status: int, headers: Any) -> None:
    told = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": int(status), "headers": told})


def _environ(scope: Any) -> dict[str, str]:
    """Return the headers of a request by their names in WSGI, which WhiteNoise knows."""
    return {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }
