"""The addresses of the stations' sockets."""

from django.urls import path

from stations.consumers import ProducerConsumer, StationsConsumer

websocket_urlpatterns = [
    path("ws/stations/", StationsConsumer.as_asgi()),
    path("ws/producer/", ProducerConsumer.as_asgi()),
]
