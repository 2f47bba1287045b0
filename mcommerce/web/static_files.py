"""Static files of a deployed site, under names that change with their content."""

from typing import Any

from django.conf import settings
from whitenoise import WhiteNoise
from whitenoise.storage import CompressedManifestStaticFilesStorage

HASHED_NAME = r"\.[0-9a-f]{12}\."  # what Django's manifest storage puts into a name; such a file never changes


class HashedFiles(CompressedManifestStaticFilesStorage):
    """A storage that hashes and compresses files. It also hashes imports of JavaScript modules, so none is stale."""

    support_js_module_import_aggregation = True


def before(pages: Any) -> WhiteNoise:
    """Return a WSGI application that serves the static files and leaves the rest to `pages`."""
    return WhiteNoise(
        pages, root=settings.STATIC_ROOT, prefix=settings.STATIC_URL, immutable_file_test=HASHED_NAME, max_age=60
    )
