"""The addresses of the site, and the app behind each."""

from django.contrib import admin
from django.urls import include, path

from mcommerce.readiness import health_pages

urlpatterns = [
    path("", include("mcommerce.products.urls")),
    path("", include("mcommerce.orders.urls")),
    path("payment/", include("mcommerce.payment.urls")),
    path("accounts/", include("mcommerce.accounts.urls")),
    path("stations/", include("stations.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("health/live", health_pages.live, name="health-live"),
    path("health/serving", health_pages.serving, name="health-serving"),
    path("health/ready", health_pages.ready, name="health-ready"),
]

handler429 = "mcommerce.rate_limits.middleware.too_many_requests"  # django-allauth asks for it
