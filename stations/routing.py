"""The addresses of the stations' sockets."""

from django.urls import path

from stations.sockets.consumers import ProducerConsumer, StationsConsumer

sockets_for_all = [path("ws/stations/", StationsConsumer.as_asgi())]  # open to all: no user is looked up
sockets_with_user = [path("ws/producer/", ProducerConsumer.as_asgi())]
