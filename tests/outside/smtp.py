"""A mail server that takes every mail, but for what a test lets it answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile

GREETING = "hello"  # what it says before anybody asks
BYE = b""  # it hangs up without a word
USUAL = {GREETING: b"220 here", "data": b"354 go on"}


class MailServer:
    """It answers each verb by `answers`, and where that is None with silence; `mails` counts who began one.

    `texts` has each mail that came whole, with its headers.
    """

    def __init__(self, answers: dict[str, bytes | None]) -> None:
        self._answers = {**USUAL, **answers}
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.mails = 0
        self.texts: list[str] = []
        self.over = threading.Event()
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        with suppress(OSError):
            while True:
                caller, _address = self._door.accept()
                threading.Thread(target=self._speak, args=(caller,), daemon=True).start()

    def _speak(self, caller: socket.socket) -> None:
        with suppress(OSError), caller, caller.makefile("rb") as heard:
            self._answer(GREETING, caller)
            for line in heard:
                verb = line[:4].decode().strip().lower()
                self.mails += verb == "mail"
                self._answer(verb, caller)
                if verb == "data" and self._answers["data"] == USUAL["data"]:
                    text = b"".join(takewhile(lambda line: line != b".\r\n", heard))
                    self.texts.append(text.decode(errors="replace"))
                    self._answer("text", caller)

    def _answer(self, verb: str, caller: socket.socket) -> None:
        answer = self._answers.get(verb, b"250 ok")
        if answer is None:
            self.over.wait()
        if not answer:
            raise ConnectionAbortedError
        caller.sendall(answer + b"\r\n")

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


@contextmanager
def mail_server(**answers: bytes | None) -> Iterator[MailServer]:
    server = MailServer(answers)
    yield server
    server.close()
