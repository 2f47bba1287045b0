"""What an orchestrator is told of a server that answers, and whose work in the background hangs."""

from django.test import Client

from eventbus.consuming.thread_liveness import Pulse


def test_a_server_is_to_be_started_again_while_a_thread_of_its_hangs(client: Client) -> None:
    late = Pulse("The relay", seconds=-1)

    with Pulse("Group orders").alive():
        well = client.get("/health/live")
        with late.alive():
            hangs = client.get("/health/live")
        again = client.get("/health/live")

    assert (well.status_code, well.json()) == (200, {"status": "ok"})
    assert (hangs.status_code, hangs.json()) == (503, {"status": "hangs"})
    assert again.status_code == 200
