"""The admin of people, and the sign-in to the admin."""

from typing import Any

import allauth.account.admin
import allauth.mfa.admin  # noqa: F401  # both register what we take away below
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from eventbus.admin.model_admin import BigTable
from mcommerce.accounts.admin.rights import PeopleAdmin
from mcommerce.accounts.models import Address, User
from mcommerce.accounts.services import contacts
from mcommerce.accounts.services.profile import ADDRESSES_MAX

ADDRESS_FORMS_MAX = 5 * ADDRESSES_MAX  # of one request: each takes milliseconds, in the transaction of the whole page


def change_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Redirect to the site's own password page, the one with a rate limit."""
    return redirect("account_change_password")


# The admin has no sign-in page of its own. The site's page has the rate limit and the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.password_change = change_password  # type: ignore[method-assign, assignment]
# Staff could open an account by marking an address verified, and could read the secrets of second factors.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)


class NewPersonForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ["email", "name"]


class PersonForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


class Addresses(admin.StackedInline):
    model = Address
    extra = 0
    max_num = ADDRESSES_MAX

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Make no more forms than a request may ask for. Django would make two thousand."""
        return super().get_formset(request, obj, absolute_max=ADDRESS_FORMS_MAX, **kwargs)


@admin.register(User)
class PersonAdmin(BigTable, PeopleAdmin):
    """Customers and staff in the admin."""

    form = PersonForm
    add_form = NewPersonForm
    list_display = ["email", "name", "is_staff", "is_active", "date_joined"]
    list_filter = ["is_staff", "is_active", "groups"]
    search_fields = ["email", "name"]
    ordering = ["email"]
    readonly_fields = ["last_login", "date_joined"]
    inlines = [Addresses]
    actions = ["take_second_factor_away"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "language"]}),
        (_("What they may do"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]

    def save_model(self, request: HttpRequest, obj: User, form: PersonForm, change: bool) -> None:
        """Save a person. A new address is verified at the next sign-in; the old one no longer opens the account."""
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            EmailAddress.objects.filter(user=obj).delete()
        if change and contacts.FIELDS & set(form.changed_data):
            contacts.publish_contact(user_id=obj.id)

    @admin.action(description=_("Take away the second factor"), permissions=["second_factor"])
    def take_second_factor_away(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Remove the second factor of people who lost their phone and their recovery codes.

        Staff set up another one at the next sign-in.
        """
        with transaction.atomic():
            Authenticator.objects.filter(user__in=people).delete()
            for person in people:
                self.log_change(request, person, _("The second factor is taken away"))

    def has_second_factor_permission(self, request: HttpRequest) -> bool:
        """Allow superusers only. Without the second factor, a password alone opens the account, even a superuser's."""
        return request.user.is_superuser
