"""Forms to edit a product, and to search the catalogue."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.text import format_lazy
from django.utils.translation import get_language, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from mcommerce.money import NotASum, TooManyDecimals, minor_digits, parse_money, parse_percent
from mcommerce.products.models import TAX_RATE_MAX, Product
from mcommerce.products.services.search import Sort
from mcommerce.products.translated_texts import slug_for

SEARCH_LENGTH_MAX = 100  # characters
TITLE_LENGTH_MAX = 120  # characters; longer ones break the layout of cards and order lines, and slugs
DESCRIPTION_LENGTH_MAX = 4000  # characters; two pages
PRICE_MAX = 1_000_000  # euros, yen or dinars; more is a typing error
TAX_PERCENT_MAX = TAX_RATE_MAX // 100
PIECES_MAX = 100_000  # in one delivery; more is a typing error
WIDE = {"class": "vTextField"}  # the admin's own width for a line of text


class CatalogueForm(forms.Form):
    """A visitor's search. Nothing in it can be wrong: what makes no sense is left out."""

    SORTS = {
        Sort.TITLE: pgettext_lazy("sort", "By title"),
        Sort.CHEAPEST: _("Price, lowest first"),
        Sort.DEAREST: _("Price, highest first"),
        Sort.NEWEST: pgettext_lazy("sort", "Newest first"),
    }
    q = forms.CharField(label=_("Search the shop"), max_length=SEARCH_LENGTH_MAX, required=False)
    sort = forms.ChoiceField(label=_("Sort by"), choices=list(SORTS.items()), required=False)

    @property
    def text(self) -> str:
        self.is_valid()
        return str(self.cleaned_data.get("q", ""))

    @property
    def chosen_sort(self) -> Sort:
        self.is_valid()
        return Sort(self.cleaned_data.get("sort") or Sort.TITLE)


class FigureField(forms.CharField):
    """A number as people type it, kept as an integer of its smallest unit: euros as cents, percents as basis points.

    `largest`: the highest number allowed, in whole units (euros, percents).
    """

    digits = 2

    def __init__(self, *, largest: int, **kwargs: Any) -> None:
        self.largest = largest
        super().__init__(**kwargs)
        self.widget.attrs["inputmode"] = "decimal"

    def parse(self, text: str) -> int:
        return parse_percent(text, get_language() or "en")

    def to_python(self, value: Any) -> int | None:  # type: ignore[override]
        text = str(value or "").strip()
        if not text:
            return None
        try:
            figure = self.parse(text)
        except NotASum:
            raise ValidationError(_("Write a number, such as %(example)s."), params={"example": self.example}) from None
        except TooManyDecimals:
            raise ValidationError(self._too_many_decimals()) from None
        if not 0 <= figure <= self.largest * 10**self.digits:
            raise ValidationError(_("Write a number from 0 to %(largest)s."), params={"largest": self.largest})
        return figure

    @property
    def example(self) -> str:
        return number_format(self.prepare_value(1990))

    def _too_many_decimals(self) -> str:
        if not self.digits:
            return str(_("Write a whole number: this currency has no decimals."))
        return ngettext("Write at most %(count)d decimal.", "Write at most %(count)d decimals.", self.digits) % {
            "count": self.digits
        }

    def prepare_value(self, value: Any) -> Any:
        return str(Decimal(value).scaleb(-self.digits)) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True


class PriceField(FigureField):
    """A price in the currency of its product."""

    currency = settings.SHOP_CURRENCY

    def count_in(self, currency: str) -> None:
        self.currency, self.digits = currency, minor_digits(currency)
        self.help_text = _("In %(currency)s, VAT included, such as %(example)s.") % {
            "currency": currency,
            "example": self.example,
        }

    def parse(self, text: str) -> int:
        return parse_money(text, self.currency, get_language() or "en")


def _text_fields() -> dict[str, forms.Field]:
    """Return a title and a description field for every language of the shop; its first title is required."""
    languages = sorted(settings.LANGUAGES, key=lambda language: language[0] != settings.SHOP_LANGUAGE)
    fields: dict[str, forms.Field] = {}
    for code, name in languages:
        first = code == settings.SHOP_LANGUAGE
        fields[f"title_{code}"] = forms.CharField(
            label=format_lazy("{} ({})", _("Title"), name),
            max_length=TITLE_LENGTH_MAX,
            required=first,
            widget=forms.TextInput(attrs=WIDE),
        )
        fields[f"description_{code}"] = forms.CharField(
            label=format_lazy("{} ({})", _("Description"), name),
            max_length=DESCRIPTION_LENGTH_MAX,
            required=False,
            widget=forms.Textarea(attrs={"rows": 4, "cols": 80}),
        )
    return fields


TextsForm = type(forms.ModelForm)("TextsForm", (forms.ModelForm,), _text_fields())  # type: ignore[misc]


class ProductForm(TextsForm):  # type: ignore[misc, valid-type]
    """A product as the merchant sees it: words per language, its price, and pieces received or lost just now."""

    price = PriceField(label=_("Price"), largest=PRICE_MAX)
    tax_rate = FigureField(label=_("VAT rate"), help_text=_("In percent, such as 20 or 5.5."), largest=TAX_PERCENT_MAX)
    slug = forms.SlugField(
        label=_("Address of the page"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs=WIDE),
        help_text=_("Empty: made from the title. When it changes, the old address leads to the new one."),
    )
    received_now = forms.IntegerField(label=_("Pieces received now"), min_value=1, max_value=PIECES_MAX, required=False)
    lost_now = forms.IntegerField(
        label=_("Pieces written off now"),
        min_value=1,
        max_value=PIECES_MAX,
        required=False,
        help_text=_("Broken or missing. What is held for orders cannot be written off."),
    )
    stock_note = forms.CharField(label=_("Note"), max_length=200, required=False, widget=forms.TextInput(attrs=WIDE))
    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Product
        fields = ["sku", "slug", "price", "tax_rate", "image", "picture", "published"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"].count_in(self.instance.currency or settings.SHOP_CURRENCY)
        self.initial["seen_version"] = self.instance.version
        for code, _name in settings.LANGUAGES:
            self.initial.setdefault(f"title_{code}", (self.instance.title or {}).get(code, ""))
            self.initial.setdefault(f"description_{code}", self.instance.description.get(code, ""))

    def clean_image(self) -> str:
        """Refuse a name without a file: a typing error must not break a page."""
        image: str = self.cleaned_data["image"]
        if image and not finders.find(image):
            raise ValidationError(_("There is no static file of this name."))
        return image

    def clean_slug(self) -> str:
        title = self.data.get(f"title_{settings.SHOP_LANGUAGE}", "")
        return self.cleaned_data["slug"] or _free_slug(slug_for(title) or "product", self.instance)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.version and cleaned.get("seen_version") != self.instance.version:
            raise ValidationError(_("Somebody else saved this product meanwhile. Load the page again, then change it."))
        lost, received = cleaned.get("lost_now") or 0, cleaned.get("received_now") or 0
        if lost > self._free_pieces() + received:
            self.add_error("lost_now", _("Fewer pieces are free."))
        self.instance.title = self._texts("title")
        self.instance.description = self._texts("description")
        return cleaned

    def _texts(self, kind: str) -> dict[str, str]:
        texts = {code: self.cleaned_data.get(f"{kind}_{code}") for code, _name in settings.LANGUAGES}
        return {code: text for code, text in texts.items() if text}

    def _free_pieces(self) -> int:
        return self.instance.stock.available if self.instance.version else 0


def _free_slug(wanted: str, product: Product) -> str:
    others = Product.objects.exclude(id=product.id)
    slug, number = wanted[:110], 1
    while others.filter(slug=slug).exists():
        number += 1
        slug = f"{wanted[:110]}-{number}"
    return slug
