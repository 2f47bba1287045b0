"""Break the whole site, one fault at a time: is each named, told and over in time?

python -m tests.overview_faults                                      in memory, then over Kafka: every fault
python -m tests.overview_faults --backend memory --fault "disk full" one of them
python -m tests.overview_faults --json outcome.json                  and write the figures down
"""

import argparse
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.kafka import stoppable_brokers
from tests.overview_faults.bench import bench
from tests.overview_faults.faults import FAULTS
from tests.overview_faults.site import BACKENDS
from tests.overview_faults.trial import PROMISED_SECONDS, Outcome


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped as well
    asked = read(arguments)
    outcomes: list[Outcome] = []
    for backend in asked.backend or BACKENDS:
        outcomes += measure(backend, asked.fault or list(FAULTS), asked.keep)
        if asked.json:
            asked.json.write_text(json.dumps([one.as_json() for one in outcomes], indent=2) + "\n")
    return 1 if any(one.wrong or late(one) for one in outcomes) else 0


def measure(backend: str, names: list[str], keep: Path | None) -> list[Outcome]:
    wanted = [name for name in names if backend in FAULTS[name].backends]
    found: list[Outcome] = []
    if not wanted:
        return found
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overview-")))
        (folder / backend).mkdir(parents=True, exist_ok=True)
        cluster = stack.enter_context(stoppable_brokers()) if backend == "kafka" else None
        site = stack.enter_context(bench(folder / backend, backend, cluster))
        print(HEAD, flush=True)
        for name in wanted:
            found.append(site.run(name))
            print(row(found[-1]), flush=True)
    return found


HEAD = (
    f"{'fault':24}{'backend':8}{'named':>7}{'told':>7}{'gone':>7}{'over told':>10}{'clicks':>7}{'slowest':>8}  alerts"
)


def row(one: Outcome) -> str:
    times = [one.named_seconds, one.told_seconds, one.gone_seconds]
    told = "".join(f"{'never':>7}" if value is None else f"{value:6.1f}s" for value in times)
    over = f"{'never':>10}" if one.over_told_seconds is None else f"{one.over_told_seconds:9.1f}s"
    clicks = "none" if one.clicks is None else one.clicks
    line = f"{one.fault:24}{one.backend:8}{told}{over}{clicks:>7}{one.slowest_seconds:7.1f}s  {', '.join(one.alerts)}"
    notices = ", ".join(f"{count} {name}" for name, count in {**one.webhooks, **one.mails}.items())
    return "\n  ".join([line, f"notices: {notices}", f"titles: {', '.join(one.titles)}", *one.wrong, *late(one)])


def late(one: Outcome) -> list[str]:
    """What took longer than is promised."""
    times = {"named": one.named_seconds, "gone": one.gone_seconds}
    return [f"{name} late" for name, value in times.items() if value is not None and value > PROMISED_SECONDS]


def read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="both by default")
    parser.add_argument(
        "--fault", action="append", choices=list(FAULTS), help="all of them by default; may be repeated"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the site's logs there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
