"""How often open pages are told what has happened."""

import asyncio
from typing import Any

import pytest

from stations.live import live_updates
from tests.stations.socket_client import on_a_loop

TURNS = 20  # of the loop: more than anything here takes


async def turns() -> None:
    """Let everything happen that can happen now."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("transactional_db")
@on_a_loop
async def test_a_page_is_told_at_once_and_then_four_times_a_second(monkeypatch: pytest.MonkeyPatch):
    loop, now = asyncio.get_running_loop(), [1_000.0]
    monkeypatch.setattr(loop, "time", lambda: now[0])
    state: Any = live_updates.Live()
    alarm = asyncio.Event()
    state.awake.add(alarm)
    ticks = []
    for seconds in (0, 0.01, 0.2, 0.05):
        now[0] += seconds
        state._plan_tick()
        await turns()
        ticks.append(alarm.is_set())
        alarm.clear()

    assert ticks == [True, False, False, True]
