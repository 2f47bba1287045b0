"""gunicorn's worker with threads, which lets no visitor stand at its door when it is asked to stop."""

import os
import threading
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from mcommerce import draining


class PageWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """It drains; then it takes in who has knocked, and closes its door at once.

    gunicorn's own leaves the door open while it answers its last visitors, up to its graceful timeout. Whoever knocks
    meanwhile is let in by nobody, and thrown out at the end.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM. A second one ends the draining."""
        if draining.is_leaving() or not draining.seconds():
            super().handle_exit(sig, frame)
            return
        draining.leave()
        timer = threading.Timer(draining.seconds(), super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and self._stops():
            for listener in self.sockets:
                self._take_in(listener)
                listener.close()

    def _stops(self) -> bool:
        return not self.alive or self.ppid != os.getppid()

    def _take_in(self, listener: Any) -> None:
        before = -1
        while before != self.nr_conns:  # it counts each that it has accepted
            before = self.nr_conns
            self.accept(listener)
