"""The tables of the forecast: forecasts as written, what was learned of each day, and the scores of each day."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from stations.models.tables import FEED_LENGTH_MAX


class AppendOnly(models.QuerySet["Forecast"]):
    """Rows that are written once. Only the retention deletes them."""

    def update(self, **values: Any) -> int:
        raise TypeError("A forecast is written before the fact, and never changed: write another one.")


class Forecast(models.Model):
    """The forecasts of a city's stations at one moment, packed by `forecast.written`. Never changed once written.

    `made_at` is the quarter of an hour up to which the stations were known. `learned_until` is the last day that the
    counts hold.
    """

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    contract = models.CharField(_("contract"), max_length=60)
    made_at = models.DateTimeField(_("made at"))
    written_at = models.DateTimeField(_("written at"))
    learned_until = models.DateField(_("learned until"))
    verdicts = models.JSONField(_("verdicts"))  # of `forecast.scoring`: the method that pages show, and the scores
    entries = models.BinaryField(_("entries"))

    objects = AppendOnly.as_manager()

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        constraints = (models.UniqueConstraint(fields=("feed", "contract", "made_at"), name="forecast_key"),)
        indexes = (models.Index(fields=("made_at",), name="forecast_made_at"),)  # for forgetting the oldest

    def __str__(self) -> str:
        return f"{self.feed} {self.contract} {self.made_at:%Y-%m-%d %H:%M}"

    def save(self, **options: Any) -> None:
        """Write a new row. Raises TypeError for one that is written already."""
        if not self._state.adding:
            raise TypeError("A forecast is written before the fact, and never changed: write another one.")
        super().save(**options)


class ForecastLesson(models.Model):
    """The counts of one full day of a city, packed by `forecast.counts`: what came after which state."""

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    contract = models.CharField(_("contract"), max_length=60)
    day = models.DateField(_("day"))
    counts = models.BinaryField(_("counts"))

    class Meta:
        verbose_name = _("lesson of the forecast")
        verbose_name_plural = _("lessons of the forecast")
        constraints = (models.UniqueConstraint(fields=("feed", "contract", "day"), name="forecastlesson_key"),)

    def __str__(self) -> str:
        return f"{self.feed} {self.contract} {self.day}"


class ForecastScore(models.Model):
    """The squared errors of a city's forecasts of one day, by horizon and target, in `forecast.scoring.UNIT`."""

    feed = models.CharField(_("feed"), max_length=FEED_LENGTH_MAX)
    contract = models.CharField(_("contract"), max_length=60)
    day = models.DateField(_("day"))  # in UTC, of the time that was forecast
    horizon = models.PositiveSmallIntegerField(_("horizon in minutes"))
    target = models.CharField(_("target"), max_length=5)  # of `forecast.counts.TARGETS`
    forecasts = models.PositiveIntegerField(_("forecasts"))
    model = models.PositiveBigIntegerField(_("errors of the model"))
    table = models.PositiveBigIntegerField(_("errors of the table"))
    as_now = models.PositiveBigIntegerField(_("errors of “as now”"))

    class Meta:
        verbose_name = _("score of the forecast")
        verbose_name_plural = _("scores of the forecast")
        constraints = (
            models.UniqueConstraint(fields=("feed", "contract", "day", "horizon", "target"), name="forecastscore_key"),
        )

    def __str__(self) -> str:
        return f"{self.feed} {self.contract} {self.day} {self.target} {self.horizon}"
