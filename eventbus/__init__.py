"""The event bus: publish in your transaction, handle once, in order per key. It depends on no feature.

`docs/tutorial.md` builds a module on it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventbus.consuming.watching import watches as watches
    from eventbus.errors import Permanent as Permanent
    from eventbus.errors import RetryLater as RetryLater
    from eventbus.errors import ServiceUnavailable as ServiceUnavailable
    from eventbus.events import Event as Event
    from eventbus.publishing.outbox import publish as publish
    from eventbus.registry import effect as effect
    from eventbus.registry import handles as handles

# Loaded at first use: models can be imported only once Django has its apps, and this module names the app.
_HOMES = {
    "Event": "eventbus.events",
    "RetryLater": "eventbus.errors",
    "Permanent": "eventbus.errors",
    "ServiceUnavailable": "eventbus.errors",
    "handles": "eventbus.registry",
    "effect": "eventbus.registry",
    "publish": "eventbus.publishing.outbox",
    "watches": "eventbus.consuming.watching",
}
__all__ = ["Event", "RetryLater", "Permanent", "ServiceUnavailable", "effect", "handles", "publish", "watches"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
