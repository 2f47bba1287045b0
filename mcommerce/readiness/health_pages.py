"""Health checks for an orchestrator: is the process alive, and can it serve?"""

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from eventbus.consuming import thread_liveness
from mcommerce import readiness
from mcommerce.readiness.database import NO_ANSWER, NOT_MIGRATED, is_migrated
from mcommerce.serving import draining
from outside.circuit_breaker import states

Answer = Callable[[HttpRequest], HttpResponse]

OK, HANGS = readiness.OK, "hangs"


def before_hosts_are_checked(get_response: Answer) -> Answer:
    """Return middleware that answers health checks before the host is checked, so with any host name and no redirect.

    A request for `/health/ready` with a session cookie may come from staff. While the database works, it goes on to the
    view, where the user is known.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        match request.path_info:
            case "/health/live":
                return live(request)
            case "/health/serving":
                return serving(request)
            case "/health/ready" if not _may_be_staff(request):
                return ready(request)
        return get_response(request)

    return middleware


def _may_be_staff(request: HttpRequest) -> bool:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    found = readiness.found()
    return all(found.get(part, OK) == OK for part in ("database", "tables", "checks"))


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Return 200 while the process answers and no relay, handler or poll thread hangs; else 503."""
    if thread_liveness.overdue():
        return JsonResponse({"status": HANGS}, status=503)
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def serving(request: HttpRequest) -> JsonResponse:
    """Return 200, and 503 once this process was told to stop: then a proxy sends visitors elsewhere before it stops.

    Failed checks do not change the answer. Otherwise a fault of all replicas would leave the proxy without any replica
    to use.
    """
    leaves = draining.is_leaving()
    answer = JsonResponse({"status": "leaving" if leaves else OK}, status=503 if leaves else 200)
    answer._has_been_logged = True  # type: ignore[attr-defined]  # so that Django logs no error
    return answer


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Return 200 while this process can serve visitors; else 503 and the names of the failing parts.

    Staff, and requests with HEALTH_TOKEN, also read each part's result, and `outside`: the state of the external
    services that this process has called. An unavailable external service does not make this process unready.
    """
    checks = readiness.found()
    failing = [name for name, said in checks.items() if said != OK]
    told: dict[str, object] = {"status": "unavailable" if failing else OK}
    if failing:
        told["failing"] = failing
    if _is_operator(request):
        told |= {"checks": checks, "outside": states()}
    answer = JsonResponse(told, status=503 if failing else 200)
    answer._has_been_logged = True  # type: ignore[attr-defined]  # for Django: the readiness watch logs a fault once, not at each probe
    return answer


def _is_operator(request: HttpRequest) -> bool:
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if settings.HEALTH_TOKEN and constant_time_compare(shown, settings.HEALTH_TOKEN):
        return True
    user = getattr(request, "user", None)  # a probe is answered before authentication
    return user is not None and user.is_staff and not user.lacks_second_factor


def database() -> str:
    """Return `OK`, or the database's problem and the remedy. Checks now, for a command that the database refused."""
    try:
        return OK if is_migrated() else NOT_MIGRATED
    except DatabaseError:
        return NO_ANSWER
