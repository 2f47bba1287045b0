"""The admin of people, and who may give rights."""

from mcommerce.accounts.admin import people  # noqa: F401  # Django finds the admin here
