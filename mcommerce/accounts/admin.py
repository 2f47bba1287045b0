"""The desk's view of people, and the door to the desk."""

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

from eventbus.admin.base import BigTable
from mcommerce.accounts.models import Address, User
from mcommerce.accounts.rights import PeopleAdmin


def change_password(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    """One page changes one's own password: the one that is limited."""
    return redirect("account_change_password")


# The desk has no door of its own: what is limited, and asks for a second factor, is the one sign-in page.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.password_change = change_password  # type: ignore[method-assign]
# An address that staff call verified would open somebody's account; secrets of second factors would be shown.
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


@admin.register(User)
class PersonAdmin(BigTable, PeopleAdmin):
    """Customers and staff."""

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
        """Another address is verified by its owner at the next sign-in; the old one opens the account no longer."""
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            EmailAddress.objects.filter(user=obj).delete()

    @admin.action(description=_("Take away the second factor"), permissions=["second_factor"])
    def take_second_factor_away(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """For who has lost a telephone and the recovery codes too. Staff set up another when they sign in next."""
        with transaction.atomic():
            Authenticator.objects.filter(user__in=people).delete()
            for person in people:
                self.log_change(request, person, _("The second factor is taken away"))

    def has_second_factor_permission(self, request: HttpRequest) -> bool:
        """It opens accounts, those of superusers too."""
        return request.user.is_superuser
