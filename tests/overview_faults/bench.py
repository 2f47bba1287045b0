"""A whole site with somebody who looks at its overview, and a scraper of its metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kafka import Cluster
from tests.overview_faults.alerts import Scraper
from tests.overview_faults.faults import FAULTS, Scene
from tests.overview_faults.site import whole_site
from tests.overview_faults.staff import Staff
from tests.overview_faults.trial import Outcome, Trial


class Bench:
    """Tries one fault after the other on one site."""

    def __init__(self, scene: Scene, scraper: Scraper) -> None:
        self._scene, self._scraper = scene, scraper

    def run(self, name: str) -> Outcome:
        return Trial(name, FAULTS[name], self._scene, self._scraper).run()

    def wrong(self, name: str) -> list[str]:
        """What is not as promised about this fault, whatever time it took; with the fault's name."""
        outcome = self.run(name)
        print(outcome)
        return [f"{name}: {one}" for one in outcome.wrong]


@contextmanager
def bench(folder: Path, backend: str, cluster: Cluster | None) -> Iterator[Bench]:
    """Begin the site, and end it at the end. Raises PostgresMissing."""
    with whole_site(folder, backend, cluster=cluster) as site:
        staff = Staff(site)
        staff.sign_in()
        scraper = Scraper(site.servers)
        try:
            yield Bench(Scene(site, staff, cluster), scraper)
        finally:
            scraper.close()
