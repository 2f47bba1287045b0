"""The addresses of the stations' pages, below /stations/."""

from django.conf import settings
from django.urls import path, register_converter

from stations.alerts import pages as alerts
from stations.history import export, pages
from stations.open_data import gbfs_views, rest
from stations.views import feeds, map_file, producer_page, stations
from stations.views.addresses import FeedConverter, StationIdConverter

register_converter(FeedConverter, "feed")
register_converter(StationIdConverter, "station_id")

app_name = "stations"
urlpatterns = [
    path("", stations.dashboard, name="dashboard"),
    path("state.json", stations.state, name="state"),
    path("producer/", producer_page.page, name="producer"),
    path("producer/plan/<str:feed>/", producer_page.steer, name="steer"),
    path("producer/remark/", producer_page.leave_remark, name="remark"),
    path("producer/remarks/", producer_page.switch_remarks, name="switch_remarks"),
    *([path("map.pmtiles", map_file.map_file, name="map-file")] if settings.STATIONS_MAP_FILE else []),  # open to all
    path("feeds/<feed:feed>/", feeds.feed, name="feed"),
    path("feeds/<feed:feed>/gbfs/<str:version>/<str:document>.json", gbfs_views.gbfs, name="gbfs"),
    path("gbfs/<str:version>/manifest.json", gbfs_views.gbfs_manifest, name="gbfs-manifest"),
    path("api/v1/", rest.addresses()),
    path("history/<feed:feed>/<station_id:station_id>/", pages.station_past, name="history"),
    path("export/<feed:feed>/<station_id:station_id>/", export.export, name="export"),
    path("cities/<station_id:contract>/", pages.city_past, name="city"),
    path("moments/<station_id:contract>/", pages.city_moment, name="moment"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/new/<feed:feed>/<station_id:station_id>/", alerts.new_alert, name="new_alert"),
    path("alerts/stop/<str:key>/", alerts.stop_alert, name="stop_alert"),
    path("alerts/<uuid:alert_id>/", alerts.alert, name="alert"),
    path("alerts/<uuid:alert_id>/pause/", alerts.pause_alert, name="pause_alert"),
    path("alerts/<uuid:alert_id>/delete/", alerts.delete_alert, name="delete_alert"),
    path("<feed:feed>/<station_id:station_id>/", stations.station, name="station"),
]
