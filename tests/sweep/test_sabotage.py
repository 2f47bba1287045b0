"""Who sweeps sees: each mistake planted in the shop or the bus is told, in its own words."""

from tests.sweep.test_sweep import sweep


def test_planted_faults_are_told() -> None:
    done = sweep("--sabotaged")

    assert done.returncode == 0, done.stdout + done.stderr
