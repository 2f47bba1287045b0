"""Every event that the modules of the shop publish, grouped by publisher.

Money is an integer of minor units (cents) with an ISO 4217 currency. Prices include VAT. A tax rate is in basis points
(2000 is 20 %). A title or name that the merchant writes is a text per language: `{"fr": "Vase", "en": "Vase"}`. Times
are aware and UTC. Events of one topic and key stay in order; no other order is promised.

Fields are only ever added, with a default. Readers ignore fields that they do not know.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from eventbus import Event

# --- products ------------------------------------------------------------------------------------------------------


class ProductPublished(Event):
    """A product is for sale, with these words and at this price. Published again when one of them changes.

    `version` grows with each change of the product's words, its price or whether it is for sale. A reader keeps the
    event with the highest version and ignores the others.
    """

    wire_name: ClassVar[str] = "product.published"
    topic: ClassVar[str] = "products"
    key_fields: ClassVar[tuple[str, ...]] = ("product_id",)

    product_id: UUID
    sku: str
    slug: str  # the product's page is at this slug; old ones redirect
    title: dict[str, str]  # text by language, never empty
    price: int  # minor units, VAT included
    currency: str
    tax_rate: int  # basis points
    image: str  # URL path, "" when there is none
    version: int
    thumbnail: str = ""  # URL path of the same in the size of a cart line


class ProductWithdrawn(Event):
    """A product is no longer for sale. Orders already placed stand. `version` counts with `ProductPublished`'s."""

    wire_name: ClassVar[str] = "product.withdrawn"
    topic: ClassVar[str] = "products"
    key_fields: ClassVar[tuple[str, ...]] = ("product_id",)

    product_id: UUID
    version: int


class ProductStockChanged(Event):
    """The number of free pieces (on the shelf, and not reserved) changed. For a hint on pages only: it may be outdated.

    `version` counts the changes of this product's stock. It is not the version of `ProductPublished`.
    """

    wire_name: ClassVar[str] = "product.stock_changed"
    topic: ClassVar[str] = "products"
    key_fields: ClassVar[tuple[str, ...]] = ("product_id",)

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


class StockReserved(Event):
    """All pieces of an order are held for it, until it is paid or cancelled."""

    wire_name: ClassVar[str] = "stock.reserved"
    topic: ClassVar[str] = "stock"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    lines: tuple[StockLine, ...]


class StockRejected(Event):
    """Not all pieces of an order could be held, so none is. `shortages` has at least one line."""

    wire_name: ClassVar[str] = "stock.rejected"
    topic: ClassVar[str] = "stock"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    shortages: tuple[Shortage, ...]


class StockCommitted(Event):
    """The pieces held for a paid order have left the stock."""

    wire_name: ClassVar[str] = "stock.committed"
    topic: ClassVar[str] = "stock"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    lines: tuple[StockLine, ...]


class StockCommitFailed(Event):
    """A paid order cannot have its goods: its reservation is gone. The order is to be refunded."""

    wire_name: ClassVar[str] = "stock.commit_failed"
    topic: ClassVar[str] = "stock"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    lines: tuple[StockLine, ...]


# --- orders --------------------------------------------------------------------------------------------------------


class OrderedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A number of pieces of a product, at their price when ordered."""

    product_id: UUID
    quantity: int
    unit_price: int  # minor units of the order's currency, VAT included


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


class OrderPlaced(Event):
    """An order was placed. Nothing is held or paid yet. Each product is in one line only."""

    wire_name: ClassVar[str] = "order.placed"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    lines: tuple[OrderedLine, ...]
    total: int
    currency: str
    expires_at: datetime  # cancelled if unpaid by then


class OrderAwaitingPayment(Event):
    """An order has its goods held, and this amount may be paid until `expires_at`."""

    wire_name: ClassVar[str] = "order.awaiting_payment"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    amount: int
    currency: str
    expires_at: datetime
    number: str = ""  # the one that people use
    email: str = ""  # the customer's


class OrderConfirmationAsked(Event):
    """The customer's bank asks the customer to confirm the payment. The order still awaits it."""

    wire_name: ClassVar[str] = "order.confirmation_asked"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    payment_id: UUID


class OrderPaymentDeclined(Event):
    """A try to pay failed, and the order has noted it. It awaits another try until its deadline."""

    wire_name: ClassVar[str] = "order.payment_declined"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    payment_id: UUID
    code: str  # of `PaymentFailed`
    retryable: bool


class OrderPaid(Event):
    """An order is paid in full; one that costs nothing has no payment. Its goods leave the stock."""

    wire_name: ClassVar[str] = "order.paid"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    amount: int
    currency: str
    lines: tuple[OrderedLine, ...]


class OrderCancelled(Event):
    """An order was cancelled before dispatch. Its pieces, reserved or sold, become free; its open payment ends.

    A refund has its own events.
    """

    wire_name: ClassVar[str] = "order.cancelled"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    reason: str  # of `CancelReason`


class OrderRefundRequested(Event):
    """A refund of this money was decided. `refund_id` is its idempotency key, so the provider refunds it once only."""

    wire_name: ClassVar[str] = "order.refund_requested"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    refund_id: UUID
    payment_id: UUID  # the succeeded payment that it refunds
    amount: int
    currency: str
    reason: str  # of `RefundReason`
    number: int = 1  # 2: staff requested it again after the provider's refusal, and so on


class OrderRefunded(Event):
    """An order has noted that its money went back."""

    wire_name: ClassVar[str] = "order.refunded"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    refund_id: UUID
    amount: int
    currency: str


class OrderRefundFailed(Event):
    """An order has noted that its refund failed: staff have to look at it."""

    wire_name: ClassVar[str] = "order.refund_failed"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    refund_id: UUID
    amount: int
    currency: str
    code: str


class OrderShipped(Event):
    """A paid order is on its way."""

    wire_name: ClassVar[str] = "order.shipped"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    carrier: str  # "" when the shop carries it itself
    tracking: str  # the carrier's number, "" when there is none


class OrderDelivered(Event):
    """A shipped order has arrived."""

    wire_name: ClassVar[str] = "order.delivered"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    carrier: str = ""
    tracking: str = ""


class OrderReturned(Event):
    """The pieces of a sent order came back, and staff say that they can be sold again."""

    wire_name: ClassVar[str] = "order.returned"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID


class OrderPaymentStatusChanged(Event):
    """An order's payment status has changed: its page has to look again."""

    wire_name: ClassVar[str] = "order.payment_status_changed"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID
    status: str  # "open": it can be paid; "in_doubt": the provider does not say whether it was


class OrderOverdue(Event):
    """An order's time to pay is over. It ends once its payment is closed, unless that has succeeded."""

    wire_name: ClassVar[str] = "order.overdue"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID


class OrderExpiredCheck(Event):
    """A timer of the orders: at an order's deadline, check whether it is still unpaid."""

    wire_name: ClassVar[str] = "order.expired_check"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID


class OrderOverdueCheck(Event):
    """A timer of the orders: some time after `OrderOverdue`, check that the payment is closed."""

    wire_name: ClassVar[str] = "order.overdue_check"
    topic: ClassVar[str] = "orders"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID


# --- payment -------------------------------------------------------------------------------------------------------


class PaymentOpened(Event):
    """The payment of an order is open: from now on it can be paid."""

    wire_name: ClassVar[str] = "payment.opened"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    payment_id: UUID
    order_id: UUID


class PaymentInDoubt(Event):
    """The provider does not say whether it took the money. Nobody should pay before it does."""

    wire_name: ClassVar[str] = "payment.in_doubt"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    payment_id: UUID
    order_id: UUID


class PaymentDoubtCleared(Event):
    """The provider has said that it took nothing so far. The order can be paid again."""

    wire_name: ClassVar[str] = "payment.doubt_cleared"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    payment_id: UUID
    order_id: UUID


class PaymentClosed(Event):
    """Nothing more will be taken for an order. `PaymentSucceeded` came before, if anything was taken."""

    wire_name: ClassVar[str] = "payment.closed"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: UUID


class PaymentActionRequired(Event):
    """The customer has to do something more, such as confirm at the bank. The payment is still undecided."""

    wire_name: ClassVar[str] = "payment.action_required"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    payment_id: UUID
    order_id: UUID
    code: str = ""  # the required action, as the provider calls it
    retryable: bool = True


class PaymentFailed(Event):
    """A try to pay failed; nothing was taken."""

    wire_name: ClassVar[str] = "payment.failed"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    payment_id: UUID
    order_id: UUID
    code: str  # the provider's, such as "card_declined", "insufficient_funds", "expired_card"
    retryable: bool  # whether another try, perhaps with another card, makes sense


class PaymentSucceeded(Event):
    """This amount was captured. At most one payment of an order succeeds."""

    wire_name: ClassVar[str] = "payment.succeeded"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    payment_id: UUID
    order_id: UUID
    amount: int
    currency: str
    provider: str  # "sandbox", "stripe"
    provider_ref: str  # the provider's own id of the payment


class PaymentRefunded(Event):
    """The money of a refund went back. `refund_id` is that of `OrderRefundRequested`."""

    wire_name: ClassVar[str] = "payment.refunded"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    amount: int
    currency: str
    code: str = ""  # "already_refunded": it had gone back before, by other means


class PaymentRefundFailed(Event):
    """The provider refused a refund for good: staff have to look at it. `refund_id` as in `PaymentRefunded`."""

    wire_name: ClassVar[str] = "payment.refund_failed"
    topic: ClassVar[str] = "payment"
    key_fields: ClassVar[tuple[str, ...]] = ("order_id",)

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    amount: int
    currency: str
    code: str = ""  # the provider's reason
    number: int = 1  # of the `OrderRefundRequested` that it answers
