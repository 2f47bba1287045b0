"""Show the bus's tables in the Django admin, and let staff decide about failed events."""

from eventbus.admin import dead_letters, model_pages  # noqa: F401  # Django finds the admin here
