from django.urls import path

from mcommerce.orders.consumers import OrderConsumer

websocket_urlpatterns = [path("ws/orders/<uuid:order_id>/", OrderConsumer.as_asgi())]
