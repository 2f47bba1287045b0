"""A connection of Twisted's that writes what the kernel takes at once, as asyncio's own transports do.

Twisted leaves each write to its loop's next turn, which registers the socket for it and forgets it afterwards: a third
of what a frame costs behind Daphne. Import this only where Daphne runs, for it loads Twisted.
"""

from twisted.internet.tcp import Server


class ServerAtOnce(Server):
    """A plain TCP connection. What waits already goes first; once TLS begins, every byte is Twisted's to write."""

    def write(self, data: bytes) -> None:
        if self.connected and not (self.disconnecting or self.TLS or len(self.dataBuffer) + self._tempDataLen):
            taken = self.writeSomeData(data)  # an exception where the connection is lost: then the reactor meets it
            if isinstance(taken, int) and taken > 0:
                data = data[taken:]
        super().write(data)
