"""The VAT inside a price."""

BASIS_POINTS = 10_000  # 100 %


def tax_within(total: int, rate: int) -> int:
    """Return the VAT inside `total` (minor units, VAT included) at `rate` basis points, rounded half up."""
    whole = BASIS_POINTS + rate
    return (2 * total * rate + whole) // (2 * whole)
