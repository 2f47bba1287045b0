"""Create the admin account of a demo site."""

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mcommerce.accounts.models import User

EMAIL = "admin@example.org"
PASSWORD_BYTES = 9  # of randomness: twelve letters, which can still be typed


class Command(BaseCommand):
    help = "Make the demo site's admin, or give it a new password, and print both. Refused unless DEMO is set."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print them as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This is no demo site: use createsuperuser, or set DEMO=1 on a site of your own.")
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        admin, _new = User.objects.get_or_create(email=EMAIL, defaults={"name": "Admin"})
        admin.is_staff = admin.is_superuser = admin.is_active = True
        admin.set_password(password)
        admin.save()
        admin.trust_email()
        Authenticator.objects.filter(user=admin).delete()  # the printed password alone opens the admin
        if options["json"]:
            self.stdout.write(json.dumps({"email": EMAIL, "password": password}))
        else:
            self.stdout.write(f"The admin is at {settings.SITE_URL}/admin/ for {EMAIL} with the password {password}")
