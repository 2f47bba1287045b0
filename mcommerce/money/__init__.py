"""Sums of money: integers of minor units in code and tables, formatted and parsed by language.

A sum is an integer of the currency's smallest unit (cents), so it is exact. Babel knows how each language writes sums.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.core import get_global
from babel.numbers import NumberFormatError, NumberPattern, parse_decimal, parse_pattern

NO_BREAK = "\N{NO-BREAK SPACE}"
USUAL_DIGITS = 2
# ISO 4217's number of decimals where it is not two. Babel's numbers are CLDR's, which are for display: CLDR drops the
# hundredths of the Hungarian forint, but payment providers count them.
WITHOUT_DECIMALS = """BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"""
WITH_THREE = """BHD IQD JOD KWD LYD OMR TND"""
ISO_DIGITS = {code: digits for digits, codes in ((0, WITHOUT_DECIMALS), (3, WITH_THREE)) for code in codes.split()}
# What is legal tender somewhere today
CURRENCIES = frozenset(
    code
    for uses in get_global("territory_currencies").values()
    for code, _since, until, is_tender in uses
    if is_tender and until is None
)
_SPACES = re.compile(r"\s")
_OTHER_MARK = re.compile(r"-?[0-9]+[.,][0-9]+")


class NotASum(ValueError):
    """The text is no number."""


class TooManyDecimals(ValueError):
    """The currency has fewer decimals than the text."""


def minor_digits(currency: str) -> int:
    """Return the currency's number of decimals: 2 for EUR, 0 for JPY, 3 for KWD."""
    return ISO_DIGITS.get(currency, USUAL_DIGITS)


def in_major_units(amount: int, currency: str) -> Decimal:
    """Return 1990 EUR as Decimal("19.90")."""
    return Decimal(amount).scaleb(-minor_digits(currency))


def format_money(amount: int, currency: str, language: str) -> str:
    """Return the sum as the language writes it: "€1,234.50" in English, "1 234,50 €" in French. It never breaks."""
    locale = _locale(language)
    text = _pattern(language, minor_digits(currency)).apply(
        in_major_units(amount, currency), locale, currency=currency, currency_digits=False
    )
    return re.sub(r"(?<=[^\W\d])(?=\d)", NO_BREAK, text)  # CLDR's spacing of a code before a figure, which Babel lacks


def parse_money(text: str, currency: str, language: str) -> int:
    """Return the minor units of a typed sum: as `format_money` writes it, or with a comma or point before the decimals.

    Raises NotASum and TooManyDecimals.
    """
    signs = (currency, _locale(language).currency_symbols.get(currency, currency))
    return parse_figure(text, language, digits=minor_digits(currency), signs=signs)


def parse_percent(text: str, language: str) -> int:
    """Return a typed percentage in basis points. Raises NotASum and TooManyDecimals."""
    return parse_figure(text, language, digits=USUAL_DIGITS, signs=("%",))


def parse_figure(text: str, language: str, *, digits: int, signs: Sequence[str]) -> int:
    """Return the number in the text as an integer of its smallest unit. It may have up to `digits` decimals.

    One of `signs` may stand before or behind the number. Raises NotASum and TooManyDecimals.
    """
    figure = _SPACES.sub("", text)
    for sign in (_SPACES.sub("", sign) for sign in signs):
        figure = figure.removeprefix(sign).removesuffix(sign)
    number = _number(figure, language)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > digits:
        raise TooManyDecimals(text)
    return int(number.scaleb(digits))


def _number(text: str, language: str) -> Decimal:
    """Parse a number grouped as the language groups, else with a comma or a point as decimal mark."""
    if not re.fullmatch(r"-?[0-9][0-9.,]*", text, re.ASCII):
        raise NotASum(text)
    try:
        return parse_decimal(text, _locale(language), strict=True)
    except NumberFormatError:
        if not _OTHER_MARK.fullmatch(text):
            raise NotASum(text) from None
        return Decimal(text.replace(",", "."))


def format_percent(basis_points: int, language: str) -> str:
    """Return 550 basis points as "5.5%" in English, "5,5 %" in French."""
    locale = _locale(language)
    percent = locale.percent_formats[None]
    return str(percent.apply(Decimal(basis_points).scaleb(-4), locale, decimal_quantization=False))


@lru_cache
def _locale(language: str) -> Locale:
    return Locale.parse(language or "en", sep="-")


@lru_cache
def _pattern(language: str, digits: int) -> NumberPattern:
    """Return the pattern by which the language writes money, with this many decimals."""
    pattern = parse_pattern(_locale(language).currency_formats["standard"].pattern)
    pattern.frac_prec = (digits, digits)
    return pattern
