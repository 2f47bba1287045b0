"""The address of the map file, which a site has only with the setting."""

from django.urls import include, path

from stations.views.map_file import map_file

urlpatterns = [path("stations/", include(([path("map.pmtiles", map_file, name="map-file")], "stations")))]
