"""Mistakes in the shop, made as those in the bus are: the shop's part of the verdict must tell each of them."""

from tests.chaos.load_app.planted_mistakes import Trial
from tests.chaos.shop import verdict

IN_THE_SHOP = {
    "a capture is entered twice": Trial(verdict.BOOKS, shop=True),
    "a refund is noted and asked of nobody": Trial(verdict.RETURNED, shop=True),
    "stock is read and then written": Trial(verdict.STOCK, shop=True),
    "a checkout waits for the broker": Trial(verdict.TAKEN, ("broker stopped",), shop=True),
    "a page server ends at once": Trial(verdict.ANSWERED, ("upgrade",), shop=True),
}
