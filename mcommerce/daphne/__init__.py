"""Daphne's runserver, with a check of the port and our response headers."""
