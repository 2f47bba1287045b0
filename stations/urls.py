"""The addresses of the stations' pages, below /stations/."""

from django.urls import path

from stations.views import producer_page, stations

app_name = "stations"
urlpatterns = [
    path("", stations.dashboard, name="dashboard"),
    path("state.json", stations.state, name="state"),
    path("producer/", producer_page.page, name="producer"),
    path("producer/plan/<str:feed>/", producer_page.steer, name="steer"),
    path("producer/remark/", producer_page.leave_remark, name="remark"),
    path("<str:contract>/<int:number>/", stations.station, name="station"),
]
