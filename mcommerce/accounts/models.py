"""People who sign in, and their addresses."""

from typing import Any
from urllib.parse import urlencode

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce import countries
from mcommerce.accounts.fields import LowerCaseEmailField


class People(BaseUserManager["User"]):
    """The manager of users, who are named by an e-mail address alone."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a customer. Without a password, nobody can sign in yet. Raises ValueError without an address."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a person with all rights in the admin. The e-mail address counts as verified."""
        user = self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})
        user.trust_email()
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in by e-mail; the other apps know them by `id` (UUIDv7)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = LowerCaseEmailField(
        _("e-mail address"),
        unique=True,
        error_messages={"unique": _("There is already an account with this e-mail address.")},
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(
        _("language"), max_length=10, blank=True, help_text=_("Mails are written in it. Empty: the shop’s first.")
    )
    is_staff = models.BooleanField(_("staff"), default=False, help_text=_("May sign in at the desk."))
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Take this away instead of deleting somebody who has ordered.")
    )
    date_joined = models.DateTimeField(_("joined"), default=clock.now, editable=False)

    objects = People()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_in_lower_case"),
        ]

    def __str__(self) -> str:
        return str(self.email)

    def trust_email(self) -> None:
        """Mark the address as verified, as if its owner had typed the mailed code. An older address is removed."""
        EmailAddress.objects.filter(user=self).delete()
        EmailAddress.objects.create(user=self, email=self.email, verified=True, primary=True)

    @cached_property
    def lacks_second_factor(self) -> bool:
        """True for staff and superusers of a deployed site without a second factor. For others it runs no query."""
        if not (settings.STAFF_SECOND_FACTOR and (self.is_staff or self.is_superuser)):
            return False
        return not Authenticator.objects.filter(user=self, type=Authenticator.Type.TOTP).exists()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return whether the person has the permission. Staff without their second factor have none, at sockets too."""
        return not self.lacks_second_factor and super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return not self.lacks_second_factor and super().has_module_perms(app_label)

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]


class Address(models.Model):
    """A delivery address of a person."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="addresses")
    recipient = models.CharField(_("recipient"), max_length=150)
    street = models.CharField(_("street and number"), max_length=200)
    extra = models.CharField(_("building, floor, care of"), max_length=200, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20)
    city = models.CharField(_("city"), max_length=100)
    country = models.CharField(_("country"), max_length=2)  # ISO 3166-1 alpha-2

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.recipient}, {self.street}, {self.postal_code} {self.city}"

    @property
    def country_name(self) -> str:
        return countries.name_of(self.country)

    @property
    def written(self) -> str:
        """The whole address in one line, encoded like form fields: for a button that fills in another form."""
        names = ("recipient", "street", "extra", "postal_code", "city", "country")
        return urlencode({name: getattr(self, name) for name in names})
