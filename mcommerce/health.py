"""What an orchestrator asks: is the process alive, and can it serve?"""

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mcommerce import background
from outside.service import states

Answer = Callable[[HttpRequest], HttpResponse]

OK, NOT_MIGRATED = "ok", "not migrated: run manage.py migrate"


def before_hosts_are_checked(get_response: Answer) -> Answer:
    """Middleware: a probe from inside the machine asks by any host name, and is neither redirected nor refused."""

    def middleware(request: HttpRequest) -> HttpResponse:
        match request.path_info:
            case "/health/live":
                return live(request)
            case "/health/ready":
                return ready(request)
        return get_response(request)

    return middleware


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, is migrated, and what this process runs in the background is running; else 503.

    `outside` is how this process finds the services of others that it has asked: it serves without them.
    """
    checks = {"database": database(), "background": background.state() if settings.IN_PROCESS else "elsewhere"}
    healthy = checks["database"] == OK and checks["background"] in {"ok", "elsewhere", "not started"}
    told = {"status": OK if healthy else "unavailable", **checks, "outside": states()}
    return JsonResponse(told, status=200 if healthy else 503)


def database() -> str:
    """`OK`, or what is the matter with it and what to do."""
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "no answer: is it running, and is DATABASE_URL right?"
    return NOT_MIGRATED if pending else OK
