"""The fragments that an order's socket sends."""

from channels.testing import WebsocketCommunicator

from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS

POINTS, RULES = "points.order_points", "points.order_rules"


async def fragments(socket: WebsocketCommunicator) -> dict[str, str]:
    """The HTML of the fragments that come next, by name."""
    while True:
        word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
        if "fragments" in word:
            return {name: one["html"] for name, one in word["fragments"].items()}
