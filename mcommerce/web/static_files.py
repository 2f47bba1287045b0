"""Static files of a deployed site, under names that change with their content."""

from typing import Any

from django.conf import settings
from whitenoise import WhiteNoise
from whitenoise.storage import CompressedManifestStaticFilesStorage

HASHED_NAME = r"\.[0-9a-f]{12}\."  # what Django's manifest storage puts into a name; such a file never changes

NOT_LOADED = "django_htmx/ext/"  # they import htmx by a bare name, which only bundlers understand


class HashedFiles(CompressedManifestStaticFilesStorage):
    """A storage that hashes and compresses files. It also hashes imports of JavaScript modules, so none is stale."""

    support_js_module_import_aggregation = True

    def post_process(self, paths: dict[str, Any], *options: Any, **more: Any) -> Any:
        """Hash and compress the collected files, but for those that no page loads."""
        loaded = {path: held for path, held in paths.items() if not path.startswith(NOT_LOADED)}
        yield from super().post_process(loaded, *options, **more)


def before(pages: Any) -> WhiteNoise:
    """Return a WSGI application that serves the static files and leaves the rest to `pages`."""
    return WhiteNoise(
        pages, root=settings.STATIC_ROOT, prefix=settings.STATIC_URL, immutable_file_test=HASHED_NAME, max_age=60
    )
