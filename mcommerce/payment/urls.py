from django.urls import path

from mcommerce.payment import views

app_name = "payment"

urlpatterns = [
    path("pay/<uuid:order_id>/", views.pay, name="pay"),
    path("return/<uuid:payment_id>/", views.come_back, name="return"),
    path("webhook/<slug:provider>/", views.webhook, name="webhook"),
]
