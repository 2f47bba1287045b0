"""The desk's view of people, and the door to the desk."""

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.utils.translation import gettext_lazy as _

from eventbus.desk import BigTable
from mcommerce.accounts.forms import SignInForm
from mcommerce.accounts.models import Address, User
from mcommerce.accounts.rights import PeopleAdmin


class DeskSignInForm(SignInForm, AdminAuthenticationForm):
    """Guessing the password of staff is as slow as that of a customer."""


admin.site.login_form = DeskSignInForm


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
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "language"]}),
        (_("What they may do"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
