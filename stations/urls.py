"""The addresses of the stations' pages, below /stations/."""

from django.urls import path

from stations import producer, views

app_name = "stations"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("state.json", views.state, name="state"),
    path("producer/", producer.page, name="producer"),
    path("producer/plan/<str:feed>/", producer.steer, name="steer"),
    path("producer/remark/", producer.leave_remark, name="remark"),
    path("<str:contract>/<int:number>/", views.station, name="station"),
]
