"""A Twisted connection that writes at once what the kernel takes, as asyncio's own transports do.

Twisted leaves each write to its loop's next turn, which registers the socket for it and unregisters it afterwards. That
is a third of a frame's cost behind Daphne. Import this only where Daphne runs, since it loads Twisted.
"""

from twisted.internet.tcp import Server


class ServerAtOnce(Server):
    """A plain TCP connection. Bytes that already wait go first. Once TLS begins, Twisted writes every byte."""

    def write(self, data: bytes) -> None:
        if self.connected and not (self.disconnecting or self.TLS or len(self.dataBuffer) + self._tempDataLen):
            taken = self.writeSomeData(data)  # an exception if the connection is lost: the reactor handles it
            if isinstance(taken, int) and taken > 0:
                data = data[taken:]
        super().write(data)
