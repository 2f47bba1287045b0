from django.urls import path

from mcommerce.orders import cart_views, views

app_name = "orders"

urlpatterns = [
    path("cart/", cart_views.cart, name="cart"),
    path("cart/count/", cart_views.count, name="count"),
    path("cart/add/", cart_views.add, name="add"),
    path("cart/change/", cart_views.change, name="change"),
    path("cart/take/", cart_views.take, name="take"),
    path("cart/agree/", cart_views.agree, name="agree"),
    path("checkout/", views.checkout, name="checkout"),
    path("checkout/terms/", views.terms, name="terms"),
    path("orders/", views.orders, name="list"),
    path("orders/<uuid:order_id>/", views.order, name="order"),
    path("orders/<uuid:order_id>/open/", views.open_by_link, name="open"),
    path("orders/<uuid:order_id>/cancel/", views.cancel, name="cancel"),
    path("orders/<uuid:order_id>/rest/", views.take_the_rest, name="rest"),
]
