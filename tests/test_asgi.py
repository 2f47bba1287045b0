"""What a server process that serves pages by ASGI keeps of each of its visitors: nothing."""

from pathlib import Path

import pytest

from tests.test_settings import python

VISITS = """
import asyncio, gc
gc.disable()
from asgiref.testing import ApplicationCommunicator
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
call_command("migrate", verbosity=0)
connections.close_all()
from mcommerce.serving import background_threads as background
from mcommerce.asgi import application
gc.disable()

async def visit():
    head = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"localhost")]}
    visitor = ApplicationCommunicator(application, head)
    await visitor.send_input({"type": "http.request", "body": b""})
    answer = await visitor.receive_output(20)
    while (await visitor.receive_output(20)).get("more_body"):
        pass
    await visitor.wait()
    return answer["status"]

print({asyncio.run(visit()) for _ in range(5)})
background.stop()  # the heartbeat keeps its own, rightly
wrappers = [one for one in gc.get_objects() if issubclass(type(one), BaseDatabaseWrapper)]
print(len(wrappers) >= 5, sum(one.connection is not None for one in wrappers))
"""


@pytest.mark.parametrize("server", ["asgi", "wsgi"])
def test_a_server_looks_for_faults_from_its_start(tmp_path: Path, server: str) -> None:
    say = f"import threading, mcommerce.{server}; print(sorted(thread.name for thread in threading.enumerate()))"

    told = python(tmp_path, say, EVENTBUS_NOTIFY_MAIL="ada@example.com", RUN_BUS_IN_SERVER="0")

    assert "'doctor'" in told.stdout and "'notices'" in told.stdout, told.stderr


def test_a_page_leaves_no_connection_to_the_database_behind(tmp_path: Path) -> None:
    # Each request has a thread of its own and so its own connection, which nobody would use again.
    told = python(tmp_path, VISITS, RUN_BUS_IN_SERVER="0")

    assert told.stdout.splitlines() == ["{200}", "True 0"], told.stderr
