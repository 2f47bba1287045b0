from django.urls import path

from mcommerce.orders.views import carts, orders

app_name = "orders"

urlpatterns = [
    path("cart/", carts.cart, name="cart"),
    path("cart/count/", carts.count, name="count"),
    path("cart/add/", carts.add, name="add"),
    path("cart/change/", carts.change, name="change"),
    path("cart/take/", carts.take, name="take"),
    path("cart/agree/", carts.agree, name="agree"),
    path("checkout/", orders.checkout, name="checkout"),
    path("checkout/terms/", orders.terms, name="terms"),
    path("orders/", orders.orders, name="list"),
    path("orders/<uuid:order_id>/", orders.order, name="order"),
    path("orders/<uuid:order_id>/open/", orders.open_by_link, name="open"),
    path("orders/<uuid:order_id>/cancel/", orders.cancel, name="cancel"),
    path("orders/<uuid:order_id>/rest/", orders.take_the_rest, name="rest"),
]
