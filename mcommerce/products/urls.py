from django.conf import settings
from django.urls import path, re_path

from mcommerce.products import views

app_name = "products"
urlpatterns = [
    path("", views.show_catalogue, name="list"),
    path("products/<slug:slug>/", views.show_product, name="detail"),
    re_path(
        rf"^{settings.MEDIA_URL.strip('/')}/pictures/(?P<name>[0-9a-f-]{{36}}-(?:page|card|cart)\.webp)$",
        views.show_picture,
        name="picture",
    ),
]
