"""The addresses of the stations' sockets."""

from django.urls import path

from stations.consumers import ProducerConsumer, StationsConsumer

sockets_for_all = [path("ws/stations/", StationsConsumer.as_asgi())]  # who comes does not matter, nor is it looked up
sockets_for_staff = [path("ws/producer/", ProducerConsumer.as_asgi())]
