"""The addresses of the site. Those of a feature begin where its AppConfig says (`url_prefix`)."""

from django.contrib import admin
from django.urls import include, path

from mcommerce.features import front_page
from mcommerce.features.installed import addresses
from mcommerce.monitoring.page import metrics
from mcommerce.readiness import health_pages

urlpatterns = [
    *addresses(),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("eventbus/", include("mcommerce.overview.urls")),
    path("health/live", health_pages.live, name="health-live"),
    path("health/serving", health_pages.serving, name="health-serving"),
    path("health/ready", health_pages.ready, name="health-ready"),
    path("metrics", metrics, name="metrics"),
    path("", front_page.show_another, name="front-page"),  # unless a feature answers at /
]

handler500 = "mcommerce.web.correlation.server_error"
handler429 = "mcommerce.rate_limits.middleware.too_many_requests"  # django-allauth asks for it
