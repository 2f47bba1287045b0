"""Sums are exact in every currency, and what a language writes it also reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcommerce.money import (
    CURRENCIES,
    NotASum,
    TooManyDecimals,
    format_money,
    format_percent,
    in_major_units,
    minor_digits,
    parse_money,
    parse_percent,
)


@pytest.mark.parametrize(
    ("amount", "currency", "language", "written"),
    [
        (123_450, "EUR", "en", "€1,234.50"),
        (123_450, "EUR", "fr", "1\u202f234,50\xa0€"),
        (5, "EUR", "en", "€0.05"),
        (0, "EUR", "en", "€0.00"),
        (1_900, "CHF", "en", "CHF\xa019.00"),
        (1_000, "JPY", "en", "¥1,000"),
        (1_000, "JPY", "fr", "1\u202f000\xa0JPY"),
        (1_234, "KWD", "en", "KWD\xa01.234"),
        (1_234, "KWD", "fr", "1,234\xa0KWD"),
        (100, "HUF", "en", "HUF\xa01.00"),
        (10**18 + 1, "EUR", "en", "€10,000,000,000,000,000.01"),
    ],
)
def test_a_sum_is_written_as_its_readers_write_it(amount: int, currency: str, language: str, written: str) -> None:
    assert format_money(amount, currency, language) == written


@given(
    amount=st.integers(0, 10**15),
    currency=st.sampled_from(sorted(CURRENCIES)),
    language=st.sampled_from(["en", "fr"]),
)
def test_whoever_types_what_they_read_means_the_same_sum(amount: int, currency: str, language: str) -> None:
    assert parse_money(format_money(amount, currency, language), currency, language) == amount
    assert parse_money(str(in_major_units(amount, currency)), currency, language) == amount


@pytest.mark.parametrize(
    ("typed", "currency", "language", "amount"),
    [
        ("22", "EUR", "en", 2_200),
        ("19,90", "EUR", "en", 1_990),
        ("19.90", "EUR", "fr", 1_990),
        ("1 234,56", "EUR", "en", 123_456),
        ("1,000", "EUR", "en", 100_000),
        ("1,000", "JPY", "en", 1_000),
        ("1,000", "KWD", "fr", 1_000),
        ("1.000", "KWD", "en", 1_000),
        ("22,00 €", "EUR", "fr", 2_200),
    ],
)
def test_a_sum_is_read_as_its_writer_means_it(typed: str, currency: str, language: str, amount: int) -> None:
    assert parse_money(typed, currency, language) == amount


@pytest.mark.parametrize("typed", ["", "free", "NaN", "Infinity", "1e9", "1,00,000", "1..0", "٣", "--1"])
def test_what_is_no_sum_is_not_guessed_at(typed: str) -> None:
    with pytest.raises(NotASum):
        parse_money(typed, "EUR", "en")


@pytest.mark.parametrize(
    ("typed", "currency", "language"),
    [("1.999", "EUR", "en"), ("1,000", "EUR", "fr"), ("1000.5", "JPY", "en"), ("1.2345", "KWD", "en")],
)
def test_more_decimals_than_the_currency_has_are_refused(typed: str, currency: str, language: str) -> None:
    with pytest.raises(TooManyDecimals):
        parse_money(typed, currency, language)


def test_a_rate_is_written_and_read_in_both_languages() -> None:
    assert [format_percent(550, "en"), format_percent(2_000, "en")] == ["5.5%", "20%"]
    assert [format_percent(550, "fr"), format_percent(2_000, "fr")] == ["5,5\xa0%", "20\xa0%"]
    assert [parse_percent("5,5 %", "fr"), parse_percent("5.5%", "en"), parse_percent("20", "fr")] == [550, 550, 2_000]


def test_decimals_are_those_of_iso_4217() -> None:
    assert [minor_digits(code) for code in ("EUR", "JPY", "KWD", "HUF", "IQD")] == [2, 0, 3, 2, 3]
    assert {"EUR", "JPY", "KWD", "CHF", "XPF"} <= CURRENCIES
    assert CURRENCIES.isdisjoint({"XXX", "DEM", "XAU", "ABC"})
