"""The site's own cache, as its processes have it."""

from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache

from mcommerce import settings as site


@pytest.fixture
def site_cache(transactional_db: None, settings: Any) -> BaseCache:
    settings.CACHES = site.CACHES
    return cache
