"""Account addresses: our own pages under `accounts:`, and those of django-allauth under its own names."""

from allauth.account import views as allauth_account
from allauth.mfa.base import views as allauth_mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.urls import include, path

from mcommerce.accounts import views

ours = [
    path("", views.account, name="account"),
    path("password/forgotten/link/", views.open_link, name="open_link"),
    path("addresses/new/", views.edit_address, name="add_address"),
    path("addresses/<uuid:address_id>/", views.edit_address, name="edit_address"),
    path("addresses/<uuid:address_id>/delete/", views.delete_address, name="delete_address"),
]
urlpatterns = [
    path("", include((ours, "accounts"))),
    path("sign-in/", allauth_account.login, name="account_login"),
    path("sign-in/code/", allauth_mfa.authenticate, name="mfa_authenticate"),
    path("sign-out/", allauth_account.logout, name="account_logout"),
    path("register/", allauth_account.signup, name="account_signup"),
    path("closed/", allauth_account.account_inactive, name="account_inactive"),
    path("confirm/", allauth_account.reauthenticate, name="account_reauthenticate"),
    path("confirm/code/", allauth_mfa.reauthenticate, name="mfa_reauthenticate"),
    path("email/", allauth_account.email, name="account_email"),
    path("email/code/", allauth_account.email_verification_sent, name="account_email_verification_sent"),
    path("password/", allauth_account.password_change, name="account_change_password"),
    path("password/first/", allauth_account.password_set, name="account_set_password"),
    path("password/forgotten/", allauth_account.password_reset, name="account_reset_password"),
    path("password/forgotten/sent/", allauth_account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/forgotten/<slug:uidb36>/new/",  # the key is in the session, and never in an address that is logged
        allauth_account.password_reset_from_key,
        {"key": allauth_account.PasswordResetFromKeyView.reset_url_key},
        name="account_reset_password_from_key",
    ),
    path(
        "password/forgotten/done/",
        allauth_account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("second-factor/", allauth_mfa.index, name="mfa_index"),
    path("second-factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("second-factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("second-factor/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("second-factor/codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("second-factor/codes/file/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
]
