import pytest

from mcommerce.payment.sandbox.cards import CardInvalid, read_card

NOW = 1_795_600_000.0  # November 2026


@pytest.mark.parametrize("number", ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"])
def test_a_number_may_be_typed_with_gaps(number: str) -> None:
    assert read_card(number=number, expiry="04/29", cvc="123", now=NOW).last4 == "4242"


@pytest.mark.parametrize("expiry", ["11/26", "1/27", "12 / 2030", "0130"])
def test_a_card_is_good_through_its_month(expiry: str) -> None:
    assert read_card(number="4242424242424242", expiry=expiry, cvc="1234", now=NOW)


@pytest.mark.parametrize(
    ("field", "typed", "fault"),
    [
        ("number", "", "number_missing"),
        ("number", "4242424242424241", "number_invalid"),
        ("number", "４２４２424242424242", "number_invalid"),
        ("number", "4242", "number_invalid"),
        ("number", "5555555555554444", "test_card_required"),
        ("expiry", "10/26", "expiry_past"),
        ("expiry", "13/29", "expiry_invalid"),
        ("expiry", "12/99", "expiry_invalid"),
        ("expiry", "", "expiry_invalid"),
        ("cvc", "12", "cvc_invalid"),
        ("cvc", "12a", "cvc_invalid"),
    ],
)
def test_a_mistyped_card_is_told_what_is_wrong(field: str, typed: str, fault: str) -> None:
    good = {"number": "4242424242424242", "expiry": "12/29", "cvc": "123"}

    with pytest.raises(CardInvalid) as refused:
        read_card(**(good | {field: typed}), now=NOW)

    assert refused.value.faults == {field: fault}
