"""The addresses of the operator's pages."""

from django.urls import path

from mcommerce.overview.catalogue import catalogue, catalogue_entry
from mcommerce.overview.events import event, events, export_events
from mcommerce.overview.groups import groups, operate_group
from mcommerce.overview.house_map import house_map
from mcommerce.overview.journeys import journey
from mcommerce.overview.pages import overview
from mcommerce.overview.processes import processes
from mcommerce.overview.repairs.urls import urlpatterns as repairs
from mcommerce.overview.topics import topics

urlpatterns = [
    path("", overview, name="overview"),
    path("journey/", journey, name="journey"),
    *repairs,
    path("groups/", groups, name="bus-groups"),
    path("groups/<str:group>/<slug:action>/", operate_group, name="bus-operate-group"),
    path("topics/", topics, name="bus-topics"),
    path("processes/", processes, name="bus-processes"),
    path("events/", events, name="bus-events"),
    path("events/export/", export_events, name="bus-events-export"),
    path("events/<int:number>/", event, name="bus-event"),
    path("map/", house_map, name="bus-map"),
    path("catalogue/", catalogue, name="bus-catalogue"),
    path("catalogue/<str:wire_type>/", catalogue_entry, name="bus-catalogue-entry"),
]
