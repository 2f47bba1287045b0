"""The page of the topics and the brokers."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus.reports import topics as topic_reports
from mcommerce.overview.frame import MAY_LOOK, PART, for_staff, live


@require_safe
@for_staff(MAY_LOOK)
def topics(request: HttpRequest) -> HttpResponse:
    """Show brokers, topics and partitions, and settings that are not as declared."""
    context = {
        "title": _("Topics and brokers"),
        "log": topic_reports.report(),
        "retention_hours": settings.EVENTBUS_RETENTION_HOURS,
    }
    return live(request, "bus-topics", "overview/topics.html", context, part=PART in request.GET)
