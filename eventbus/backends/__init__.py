"""The bus's backends, and the one that this process uses."""

import threading
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from eventbus.backends.base import Backend

_lock = threading.Lock()
_current: Backend | None = None


def current() -> Backend:
    """Return the process's backend, made from settings.EVENTBUS at first use. One for all threads."""
    global _current
    with _lock:
        if _current is None:
            chosen: dict[str, Any] = settings.EVENTBUS
            _current = import_string(chosen["BACKEND"])(**chosen.get("OPTIONS", {}))
        return _current


def use(backend: Backend) -> None:
    """Let the process use this backend from now on, whatever the setting says. For tests."""
    global _current
    with _lock:
        _current = backend


@receiver(setting_changed)
def forget(*, setting: str, **ignored: Any) -> None:
    """Forget the backend when a test changes the setting. The next use makes a new one."""
    global _current
    if setting == "EVENTBUS":
        with _lock:
            _current = None
