"""The table of Django's cache. It is a model so that `migrate` makes it."""

from django.db import models


class CacheEntry(models.Model):
    """One key of the cache; the columns are those that Django's DatabaseCache expects."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache_entry"
        verbose_name_plural = "cache entries"

    def __str__(self) -> str:
        return self.cache_key
