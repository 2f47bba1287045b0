"""The addresses of the operator's pages."""

from django.urls import path

from mcommerce.overview.groups import groups, operate_group
from mcommerce.overview.journeys import journey
from mcommerce.overview.pages import overview

urlpatterns = [
    path("", overview, name="overview"),
    path("journey/", journey, name="journey"),
    path("groups/", groups, name="bus-groups"),
    path("groups/<str:group>/<slug:action>/", operate_group, name="bus-operate-group"),
]
