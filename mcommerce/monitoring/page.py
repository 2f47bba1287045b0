"""The page of metrics, for Prometheus. The counts are business secrets, so not everybody reads them."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from eventbus.measuring.reading import AllProcesses
from mcommerce.monitoring.bus_state import BusState
from mcommerce.monitoring.server_state import ServerState

Answer = Callable[[HttpRequest], HttpResponse]

PATH = "/metrics"
# A proxy on this machine adds one of these: nginx none but those that its configuration names.
BY_PROXY = tuple(f"HTTP_{name}" for name in ("X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_REAL_IP"))
BY_PROXY += ("HTTP_FORWARDED", "HTTP_VIA")
REFUSED = (
    "Metrics are read from this machine itself, or with METRICS_TOKEN: "
    "Authorization: Bearer and the token, as prometheus.yml says it in `authorization`.\n"
)

bus_state = BusState()
registry = CollectorRegistry()
registry.register(AllProcesses())
registry.register(bus_state)
registry.register(ServerState())


def before_hosts_are_checked(get_response: Answer) -> Answer:
    """Return middleware that answers `/metrics`: a scraper asks by the address of a process, not by the site's name."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return metrics(request) if request.path_info == PATH else get_response(request)

    return middleware


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of all processes of this machine, and the state of the bus.

    With METRICS_TOKEN only who shows it may read them. Without one only callers on this machine may.
    """
    if not _may_read(request):
        return HttpResponseForbidden(REFUSED, content_type="text/plain; charset=utf-8")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return constant_time_compare(shown, settings.METRICS_TOKEN)
    request.get_host()  # raises DisallowedHost: a page of a stranger may have led a browser of this machine here
    return _is_from_here(request)


def _is_from_here(request: HttpRequest) -> bool:
    if any(name in request.META for name in BY_PROXY):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:  # a Unix socket has no address, and a proxy at its other end
        return False
