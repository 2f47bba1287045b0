"""Links from one feature to another, which may not be installed."""

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html


def address_of(name: str, *args: object) -> str:
    """Return the address of the page with this URL name, or "" if its feature is not installed."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def absolute_address_of(name: str, *args: object) -> str:
    """Return the address of a page as a mail needs it, with the site's host. Return "" without such a page."""
    address = address_of(name, *args)
    return f"{settings.SITE_URL}{address}" if address else ""


def link_to(name: str, *args: object, text: object) -> str:
    """Return `text` as a link to the page with this URL name. Without such a page, return the text alone."""
    address = address_of(name, *args)
    return format_html('<a href="{}">{}</a>', address, text) if address else str(text)
