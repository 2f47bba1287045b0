"""A link carries what is said, and can be cut, silenced and slowed."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.chaos.tcp_proxy import RESET, Link, over_port

ANSWER_SECONDS = 5.0
SILENT_SECONDS = 0.3  # long enough to see that nothing comes


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of somebody who says everything again."""
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
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def link(echo: int) -> Iterator[Link]:
    link = Link(over_port(echo))
    yield link
    link.close()


def call(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=ANSWER_SECONDS)


def says(caller: socket.socket, words: bytes) -> bytes:
    caller.sendall(words)
    return caller.recv(100)


def test_a_link_carries_both_ways(link: Link) -> None:
    with call(link) as caller:
        assert says(caller, b"hello") == b"hello"


def test_who_calls_while_the_server_is_away_reaches_it_once_it_is_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    link = Link(over_port(port))
    with call(link) as caller:
        caller.sendall(b"hello")
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(ANSWER_SECONDS)
            answerer, _address = server.accept()
            with answerer:
                answerer.sendall(answerer.recv(100))
                assert caller.recv(100) == b"hello"
    link.close()


def test_who_is_cut_off_hears_of_it_and_may_call_again(link: Link) -> None:
    with call(link) as caller:
        says(caller, b"hello")

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


def test_a_slow_link_takes_its_time_each_way(link: Link) -> None:
    with call(link) as caller:
        says(caller, b"hello")
        link.slow(0.1)
        begin = time.monotonic()

        assert says(caller, b"hurry") == b"hurry"

        assert time.monotonic() - begin >= 0.2


def test_who_speaks_with_somebody_who_dies_is_hung_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = Link(over_port(listener.getsockname()[1]))
        with call(link) as caller:
            caller.sendall(b"anybody?")
            far, _address = listener.accept()
            far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

            far.close()

            with suppress(ConnectionResetError):
                assert caller.recv(100) == b""
        link.close()


def test_where_nobody_listens_the_caller_is_hung_up_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    link = Link(over_port(port))

    with call(link) as caller, suppress(ConnectionResetError):
        assert caller.recv(100) == b""

    link.close()
