"""What wakes a browser's task loses no call: a tick that is missed would be told ten seconds late."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stations.live.alarm import Alarm


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))


def test_who_waits_is_woken_by_the_next_set():
    async def waits() -> None:
        alarm = Alarm()
        waiting = alarm.wait()
        assert not waiting.done()
        alarm.set()
        await waiting

    run(waits)


def test_who_comes_after_it_was_set_does_not_wait():
    async def comes_late() -> None:
        alarm = Alarm()
        alarm.set()
        await alarm.wait()

    run(comes_late)


def test_what_was_cleared_wakes_nobody_until_it_is_set_again():
    async def waits_twice() -> None:
        alarm = Alarm()
        alarm.set()
        alarm.clear()
        waiting = alarm.wait()
        assert not waiting.done()
        alarm.set()
        alarm.set()  # two reasons are one call
        await waiting

    run(waits_twice)


def test_a_waiter_that_was_cancelled_harms_nobody():
    async def gives_up() -> None:
        alarm = Alarm()

        async def wait() -> None:
            await alarm.wait()

        gone = asyncio.create_task(wait())
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        alarm.set()
        await alarm.wait()

    run(gives_up)
