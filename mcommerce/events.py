"""Every event that the modules of the shop publish, grouped by publisher.

Money is an integer of minor units (cents) with an ISO 4217 currency. Prices include VAT. A tax rate is in basis points
(2000 is 20 %). A title or name that the merchant writes is a text per language: `{"fr": "Vase", "en": "Vase"}`. Times
are aware and UTC. Events of one topic and key stay in order; no other order is promised.

`order_number` is the number that people use, such as `M-4G7K2Q`. `customer_id` is the account that placed an order. It
is None for a guest, also when the guest signs in later, and it stays when the account is deleted. Three events hold a
person's address, and none holds a name or a street: docs/decisions/0039.

Fields are only ever added, with a default. Readers ignore fields that they do not know.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from eventbus import Event

Currency = Annotated[str, msgspec.Meta(description="ISO 4217", examples=["EUR"])]
Country = Annotated[str, msgspec.Meta(description="ISO 3166-1 alpha-2", examples=["FR"])]
Email = Annotated[str, msgspec.Meta(examples=["ada@example.com"])]
Language = Annotated[str, msgspec.Meta(description="of the site's languages", examples=["en"])]
OrderNumber = Annotated[str, msgspec.Meta(description="the number that people use", examples=["M-4G7K2Q"])]
TextByLanguage = Annotated[
    dict[str, str], msgspec.Meta(description="text by language", examples=[{"fr": "Vase", "en": "Vase"}])
]

# --- products ------------------------------------------------------------------------------------------------------


class ProductPublished(Event, name="product.published", topic="products", key="product_id"):
    """A product is for sale, with these words and at this price. Published again when one of them changes.

    `version` grows with each change of the product's words, its price or whether it is for sale. A reader keeps the
    event with the highest version and ignores the others.
    """

    product_id: UUID
    sku: str
    slug: str  # the product's page is at this slug; old ones redirect
    title: TextByLanguage  # text by language, never empty
    price: int  # minor units, VAT included
    currency: Currency
    tax_rate: int  # basis points
    image: str  # URL path, "" when there is none
    version: int
    thumbnail: str = ""  # URL path of the same in the size of a cart line


class ProductWithdrawn(Event, name="product.withdrawn", topic="products", key="product_id"):
    """A product is no longer for sale. Orders already placed stand. `version` counts with `ProductPublished`'s."""

    product_id: UUID
    version: int


class ProductStockChanged(Event, name="product.stock_changed", topic="products", key="product_id"):
    """The number of free pieces (on the shelf, and not reserved) changed. For a hint on pages only: it may be outdated.

    `version` counts the changes of this product's stock. It is not the version of `ProductPublished`.
    """

    product_id: UUID
    available: int
    version: int


class StockLine(msgspec.Struct, frozen=True, kw_only=True):
    """A number of pieces of a product, held or taken for an order."""

    product_id: UUID
    quantity: int


class ShortageReason(StrEnum):
    """The reason why a line could not be reserved. Readers take an unknown one for `SOLD_OUT`."""

    SOLD_OUT = "sold_out"  # fewer are free than wanted, perhaps none
    WITHDRAWN = "withdrawn"  # no longer for sale
    UNKNOWN = "unknown"  # there is no such product


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """An order line with too few free pieces."""

    product_id: UUID
    wanted: int
    available: int
    reason: str  # of `ShortageReason`


class StockReserved(Event, name="stock.reserved", topic="stock", key="order_id"):
    """All pieces of an order are held for it, until it is paid or cancelled."""

    order_id: UUID
    lines: tuple[StockLine, ...]


class StockRejected(Event, name="stock.rejected", topic="stock", key="order_id"):
    """Not all pieces of an order could be held, so none is. `shortages` has at least one line."""

    order_id: UUID
    shortages: tuple[Shortage, ...]


class StockCommitted(Event, name="stock.committed", topic="stock", key="order_id"):
    """The pieces held for a paid order have left the stock."""

    order_id: UUID
    lines: tuple[StockLine, ...]


class StockCommitFailed(Event, name="stock.commit_failed", topic="stock", key="order_id"):
    """A paid order cannot have its goods: its reservation is gone. The order is to be refunded."""

    order_id: UUID
    lines: tuple[StockLine, ...]


# --- orders --------------------------------------------------------------------------------------------------------


class OrderedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A number of pieces of a product, at their price when ordered."""

    product_id: UUID
    quantity: int
    unit_price: int  # minor units of the order's currency, VAT included
    tax_rate: int  # basis points
    tax: int  # the VAT within quantity x unit_price, rounded half up


class VatAmount(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an order's amount that has one VAT rate. The parts add up to the amount."""

    rate: int  # basis points
    amount: int  # minor units, VAT included
    tax: int  # the VAT within it: the sum of the lines'


class CancelReason(StrEnum):
    """The reason for a cancellation."""

    STOCK_REJECTED = "stock_rejected"  # there was not enough when it was placed
    PAYMENT_TIMEOUT = "payment_timeout"  # nobody paid before the deadline
    CUSTOMER = "customer"
    STAFF = "staff"
    STOCK_LOST = "stock_lost"  # paid, but its goods were gone


class RefundReason(StrEnum):
    """The reason for a refund."""

    CANCELLED = "cancelled"  # staff cancelled a paid order
    PAID_AFTER_CANCELLATION = "paid_after_cancellation"
    PAID_TWICE = "paid_twice"
    AMOUNT_MISMATCH = "amount_mismatch"  # another sum or currency than the order's was taken
    STOCK_LOST = "stock_lost"
    RETURNED = "returned"  # sent already, and the customer does not keep it


class OrderContactGiven(Event, name="order.contact_given", topic="orders", key="order_id"):
    """The address and the language in which to write to the customer of an order. Published before `OrderPlaced`.

    A stranger may have typed the address: nobody has verified it. The other events of an order have ids only, except
    `OrderAwaitingPayment`. So a module that writes to customers keeps this event's fields by `order_id`.
    """

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    email: Email
    language: Language


class OrderPlaced(Event, name="order.placed", topic="orders", key="order_id"):
    """An order was placed. Nothing is held or paid yet. Each product is in one line only."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    lines: tuple[OrderedLine, ...]
    total: int  # minor units of the currency
    currency: Currency
    expires_at: datetime  # cancelled if unpaid by then


class OrderAwaitingPayment(Event, name="order.awaiting_payment", topic="orders", key="order_id"):
    """An order has its goods held, and this amount may be paid until `expires_at`."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    amount: int  # minor units of the currency
    currency: Currency
    expires_at: datetime
    email: Email  # for the payment provider, which writes a receipt; others read `OrderContactGiven`


class OrderConfirmationAsked(Event, name="order.confirmation_asked", topic="orders", key="order_id"):
    """The customer's bank asks the customer to confirm the payment. The order still awaits it."""

    order_id: UUID
    payment_id: UUID


class OrderPaymentDeclined(Event, name="order.payment_declined", topic="orders", key="order_id"):
    """A try to pay failed, and the order has noted it. It awaits another try until its deadline."""

    order_id: UUID
    payment_id: UUID
    code: str  # of `PaymentFailed`
    retryable: bool


class OrderPaid(Event, name="order.paid", topic="orders", key="order_id"):
    """An order is paid in full; one that costs nothing has no payment. Its goods leave the stock.

    `manage.py reconcile` may publish it again: a reader counts an order once.
    """

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    amount: int  # minor units of the currency
    currency: Currency
    lines: tuple[OrderedLine, ...]
    vat: tuple[VatAmount, ...]  # by rate
    country: Country  # where it is sent to: that decides whose VAT it is
    at: datetime


class OrderCancelled(Event, name="order.cancelled", topic="orders", key="order_id"):
    """An order was cancelled before dispatch. Its pieces, reserved or sold, become free; its open payment ends.

    A refund has its own events.
    """

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    reason: str  # of `CancelReason`


class OrderRefundRequested(Event, name="order.refund_requested", topic="orders", key="order_id"):
    """A refund of this money was decided. `refund_id` is its idempotency key, so the provider refunds it once only."""

    order_id: UUID
    refund_id: UUID
    payment_id: UUID  # the succeeded payment that it refunds
    amount: int  # minor units of the currency
    currency: Currency
    reason: str  # of `RefundReason`
    number: int = 1  # 2: staff requested it again after the provider's refusal, and so on


class OrderRefunded(Event, name="order.refunded", topic="orders", key="order_id"):
    """An order has noted that its money went back."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    refund_id: UUID
    amount: int  # minor units of the currency
    currency: Currency
    reason: str  # of `RefundReason`
    sale_refunded: int  # how much of `OrderPaid.amount` went back so far; money that never paid the order is not in it
    vat: tuple[VatAmount, ...]  # by rate, as in `OrderPaid`; empty if this money never paid the order
    country: Country  # as in `OrderPaid`
    at: datetime


class OrderRefundFailed(Event, name="order.refund_failed", topic="orders", key="order_id"):
    """An order has noted that its refund failed: staff have to look at it."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    refund_id: UUID
    amount: int  # minor units of the currency
    currency: Currency
    reason: str  # of `RefundReason`
    code: str


class OrderShipped(Event, name="order.shipped", topic="orders", key="order_id"):
    """A paid order is on its way."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    carrier: str  # "" when the shop carries it itself
    tracking: str  # the carrier's number, "" when there is none
    at: datetime


class OrderDelivered(Event, name="order.delivered", topic="orders", key="order_id"):
    """A shipped order has arrived."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None
    carrier: str
    tracking: str


class OrderReturned(Event, name="order.returned", topic="orders", key="order_id"):
    """The pieces of a sent order came back, and staff say that they can be sold again."""

    order_id: UUID
    order_number: OrderNumber
    customer_id: UUID | None


class OrderPaymentStatusChanged(Event, name="order.payment_status_changed", topic="orders", key="order_id"):
    """An order's payment status has changed: its page has to look again."""

    order_id: UUID
    status: str  # "open": it can be paid; "in_doubt": the provider does not say whether it was


class OrderOverdue(Event, name="order.overdue", topic="orders", key="order_id"):
    """An order's time to pay is over. It ends once its payment is closed, unless that has succeeded."""

    order_id: UUID


class OrderExpiredCheck(Event, name="order.expired_check", topic="orders", key="order_id"):
    """A timer of the orders: at an order's deadline, check whether it is still unpaid."""

    order_id: UUID


class OrderOverdueCheck(Event, name="order.overdue_check", topic="orders", key="order_id"):
    """A timer of the orders: some time after `OrderOverdue`, check that the payment is closed."""

    order_id: UUID


# --- customers -----------------------------------------------------------------------------------------------------


class CustomerContactChanged(Event, name="customer.contact_changed", topic="customers", key="customer_id"):
    """The address or the language in which to write to the owner of an account.

    Published when a new address is verified, when the language changes, and when nobody may write any more.
    `manage.py publish_contacts` publishes it for every account again, for a module that starts late.
    """

    customer_id: UUID
    email: Email  # verified; "" while none is, or the account is not active
    language: Language


class CustomerDeleted(Event, name="customer.deleted", topic="customers", key="customer_id"):
    """An account was deleted. Readers delete what they know of the person. Its orders stay, with the `customer_id`."""

    customer_id: UUID


# --- payment -------------------------------------------------------------------------------------------------------


class PaymentOpened(Event, name="payment.opened", topic="payment", key="order_id"):
    """The payment of an order is open: from now on it can be paid."""

    payment_id: UUID
    order_id: UUID


class PaymentInDoubt(Event, name="payment.in_doubt", topic="payment", key="order_id"):
    """The provider does not say whether it took the money. Nobody should pay before it does."""

    payment_id: UUID
    order_id: UUID


class PaymentDoubtCleared(Event, name="payment.doubt_cleared", topic="payment", key="order_id"):
    """The provider has said that it took nothing so far. The order can be paid again."""

    payment_id: UUID
    order_id: UUID


class PaymentClosed(Event, name="payment.closed", topic="payment", key="order_id"):
    """Nothing more will be taken for an order. `PaymentSucceeded` came before, if anything was taken."""

    order_id: UUID


class PaymentActionRequired(Event, name="payment.action_required", topic="payment", key="order_id"):
    """The customer has to do something more, such as confirm at the bank. The payment is still undecided."""

    payment_id: UUID
    order_id: UUID
    code: str = ""  # the required action, as the provider calls it
    retryable: bool = True


class PaymentFailed(Event, name="payment.failed", topic="payment", key="order_id"):
    """A try to pay failed; nothing was taken."""

    payment_id: UUID
    order_id: UUID
    code: str  # the provider's, such as "card_declined", "insufficient_funds", "expired_card"
    retryable: bool  # whether another try, perhaps with another card, makes sense


class PaymentSucceeded(Event, name="payment.succeeded", topic="payment", key="order_id"):
    """This amount was captured. At most one payment of an order succeeds."""

    payment_id: UUID
    order_id: UUID
    amount: int  # minor units of the currency
    currency: Currency
    provider: str  # "sandbox", "stripe"
    provider_ref: str  # the provider's own id of the payment


class PaymentRefunded(Event, name="payment.refunded", topic="payment", key="order_id"):
    """The money of a refund went back. `refund_id` is that of `OrderRefundRequested`."""

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    amount: int  # minor units of the currency
    currency: Currency
    reason: str  # of `RefundReason`
    code: str = ""  # "already_refunded": it had gone back before, by other means


class PaymentRefundFailed(Event, name="payment.refund_failed", topic="payment", key="order_id"):
    """The provider refused a refund for good: staff have to look at it. `refund_id` as in `PaymentRefunded`."""

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    amount: int  # minor units of the currency
    currency: Currency
    reason: str  # of `RefundReason`
    code: str = ""  # the provider's reason
    number: int = 1  # of the `OrderRefundRequested` that it answers
