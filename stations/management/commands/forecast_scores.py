"""`manage.py forecast_scores`: the Brier scores of the forecasts by city and horizon, and a check of them."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus import clock
from stations.forecast.audit import faults_of
from stations.forecast.forecaster import cities
from stations.forecast.hindcast import hindcast
from stations.forecast.learning import City
from stations.forecast.scoring import Score, Versus, scores_of

NONE_YET = "no day is scored yet. Forecasts begin after three full days of history, and are scored after each full day."


class Command(BaseCommand):
    help = "Print the Brier scores of the forecasts beside both baselines, by city and horizon, with 95 % intervals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--city", help="only this contract, such as lyon")
        parser.add_argument("--json", action="store_true", help="one JSON object a city, one a line")
        parser.add_argument(
            "--hindcast", action="store_true", help="score the kept history as if it had been forecast; write nothing"
        )
        parser.add_argument(
            "--check", action="store_true", help="recompute forecasts and scores; end with 1 on a fault"
        )

    def handle(self, *, city: str | None, check: bool, **options: Any) -> None:
        chosen = [one for one in cities() if city in (None, one.contract)]
        if not chosen:
            raise CommandError(f"No feed in use has stations of {city}." if city else "No station is known yet.")
        for one in chosen:
            scores = hindcast(one) if options["hindcast"] else scores_of(one, before=clock.now().date())
            (self._say_json if options["json"] else self._say)(one, scores)
        if check:
            self._check(chosen)

    def _say(self, city: City, scores: list[Score]) -> None:
        if not scores:
            self.stdout.write(f"{city.contract} ({city.feed}): {NONE_YET}")
            return
        self.stdout.write(f"{city.contract} ({city.feed}): {scores[0].days} days. Brier scores, 0 is always right:")
        for score in scores:
            against = "; ".join(f"to {_named(name)} {_interval(one)}" for name, one in score.versus.items())
            self.stdout.write(
                f"  {score.target} in {score.horizon} min, {score.forecasts} forecasts: model {score.model:.4f}, "
                f"table {score.table:.4f}, as now {score.as_now:.4f}; {against}. Shown: {score.method}"
            )

    def _say_json(self, city: City, scores: list[Score]) -> None:
        told = [
            score._asdict() | {"versus": {k: v._asdict() for k, v in score.versus.items()}, "shown": score.method}
            for score in scores
        ]
        self.stdout.write(json.dumps({"feed": city.feed, "contract": city.contract, "scores": told}))

    def _check(self, chosen: list[City]) -> None:
        faults = [fault for city in chosen for fault in faults_of(city)]
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"{len(faults)} faults: do not trust these scores.")


def _named(baseline: str) -> str:
    return baseline.replace("_", " ")


def _interval(versus: Versus) -> str:
    if versus.low is None or versus.high is None:
        return f"{versus.difference:+.4f} (too few days for an interval)"
    return f"{versus.difference:+.4f} ({versus.low:+.4f} to {versus.high:+.4f})"
