from django.urls import path

from mcommerce.orders.consumers import OrderConsumer

sockets_with_user = [path("ws/orders/<uuid:order_id>/", OrderConsumer.as_asgi())]
