"""A link carries what is said, and can be cut and silenced."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.chaos.tcp_proxy import Link, over_port

ANSWER_SECONDS = 5.0
SILENT_SECONDS = 0.3  # long enough to see that nothing comes


@pytest.fixture
def link() -> Iterator[Link]:
    """To somebody who says everything again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(caller: socket.socket) -> None:
            with caller, suppress(OSError):
                while said := caller.recv(100):
                    caller.sendall(said)

        def listen() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        link = Link(over_port(listener.getsockname()[1]))
        yield link
        link.close()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def call(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=ANSWER_SECONDS)


def says(caller: socket.socket, words: bytes) -> bytes:
    caller.sendall(words)
    return caller.recv(100)


def test_who_is_cut_off_hears_of_it_and_may_call_again(link: Link) -> None:
    with call(link) as caller:
        assert says(caller, b"hello") == b"hello"

        assert link.cut() == 1

        with pytest.raises(ConnectionResetError):
            caller.recv(100)
    with call(link) as again:
        assert says(again, b"again") == b"again"


def test_on_a_silent_link_nothing_comes_and_nothing_closes(link: Link) -> None:
    with call(link) as caller:
        says(caller, b"hello")
        link.silence()
        caller.sendall(b"anybody?")
        caller.settimeout(SILENT_SECONDS)

        with pytest.raises(TimeoutError):
            caller.recv(100)

        caller.settimeout(ANSWER_SECONDS)
        link.mend()
        assert caller.recv(100) == b"anybody?"
