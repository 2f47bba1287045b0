from django.contrib.auth.views import LogoutView
from django.urls import path

from mcommerce.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.account, name="account"),
    path("sign-in/", views.SignIn.as_view(), name="sign_in"),
    path("sign-out/", LogoutView.as_view(next_page="products:list"), name="sign_out"),
    path("register/", views.Register.as_view(), name="register"),
    path("password/", views.ChangePassword.as_view(), name="change_password"),
    path("addresses/new/", views.edit_address, name="add_address"),
    path("addresses/<uuid:address_id>/", views.edit_address, name="edit_address"),
    path("addresses/<uuid:address_id>/delete/", views.delete_address, name="delete_address"),
]
