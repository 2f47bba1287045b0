"""Where people live whom we know: by ISO 3166-1 alpha-2."""

from django.utils.translation import gettext_lazy as _

COUNTRIES = {
    "FR": _("France"),
    "AT": _("Austria"),
    "BE": _("Belgium"),
    "DE": _("Germany"),
    "ES": _("Spain"),
    "GB": _("United Kingdom"),
    "IE": _("Ireland"),
    "IT": _("Italy"),
    "LU": _("Luxembourg"),
    "MC": _("Monaco"),
    "NL": _("Netherlands"),
    "PT": _("Portugal"),
    "CH": _("Switzerland"),
}
