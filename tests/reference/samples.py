"""An example of each declared event. A field whose name does not say enough has a value here."""

import re
from typing import Any

import msgspec

from eventbus.events import Event, declared_events, decode
from eventbus.testing import sample

ORDER, PRODUCT, PAYMENT, REFUND = (f"019dd9b5-f000-7000-8000-00000000000{number}" for number in range(1, 5))
ANY_ID = "019dd9b5-f000-7000-8000-000000000009"
DRAWN_ID = re.compile(r"(?!019dd9b5-f000-)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # any but those above
CUSTOMER = "019dd9b5-f000-7000-8000-000000000007"
SOLD = {"product_id": PRODUCT, "quantity": 2, "unit_price": 1900, "tax_rate": 2000, "tax": 633}
SHORT = {"product_id": PRODUCT, "wanted": 2, "available": 1, "reason": "sold_out"}
EVERYWHERE: dict[str, Any] = {
    "order_id": ORDER,
    "product_id": PRODUCT,
    "order_number": "M-4G7K2Q",
    "customer_id": CUSTOMER,
    "payment_id": PAYMENT,
    "refund_id": REFUND,
    "attempt_id": "019dd9b5-f000-7000-8000-000000000005",
    "remark_id": "019dd9b5-f000-7000-8000-000000000006",
    "tries": 0,
    "alert_id": "019dd9b5-f000-7000-8000-00000000000a",
    "amount": 3800,
    "total": 3800,
    "price": 1900,
    "currency": "EUR",
    "tax_rate": 2000,
    "lines": [SOLD],
    "shortages": [SHORT],
    "expires_at": "2026-05-01T12:30:00Z",
    "due_at": "2026-05-01T12:00:00Z",
    "number": 1,
    "email": "ada@example.org",
    "language": "fr",
    "country": "FR",
    "vat": [{"rate": 2000, "amount": 3800, "tax": 633}],
    "sale_refunded": 3800,
    "reason": "returned",
    "sku": "VASE-1",
    "slug": "blue-vase",
    "title": {"en": "Blue vase", "fr": "Vase bleu"},
    "image": "/media/blue-vase.webp",
    "thumbnail": "/media/blue-vase-small.webp",
    "version": 7,
    "available": 4,
    "carrier": "La Poste",
    "tracking": "8R00000000001",
    "code": "card_declined",
    "retryable": True,
    "provider": "sandbox",
    "provider_ref": "pay_1042",
    "message": "The pump beside the station works.",
    "name": "Ada",
    "at": "2026-05-01T12:00:00Z",
}
STATION: dict[str, Any] = {
    "feed": "jcdecaux:lyon",
    "station_id": "2010",
    "contract": "lyon",
    "number": 2010,
    "kinds": ["taken"],
    "name": "2010 - BELLECOUR / RÉPUBLIQUE",
    "address": "Angle rue de la République",
    "lat": 45.757,
    "lng": 4.832,
    "status": "OPEN",
    "bikes": 9,
    "mechanical": 6,
    "electrical": 3,
    "stands": 10,
    "capacity": 20,
    "connected": True,
    "banking": True,
    "bonus": False,
    "overflow": False,
    "gone": False,
    "polled_at": "2026-05-01T12:00:00Z",
    "taken": 1,
    "returned": 0,
    "taken_electrical": 1,
    "returned_electrical": 0,
    "reported_at": "2026-05-01T11:59:12Z",
    "contract_name": "lyon",
    "position": {"lat": 45.757, "lng": 4.832},
    "bike_stands": 20,
    "available_bike_stands": 10,
    "available_bikes": 9,
    "last_update": 1777636752000,
    "bad": "",
    "held": "",
    "seen_at": None,
}
POLL: dict[str, Any] = {
    "feed": "jcdecaux:lyon",
    "ok": True,
    "fetched": 412,
    "changed": 18,
    "bad": {},
    "ms": 240,
    "appeared": 0,
    "gone": 0,
    "reason": "",
    "detail": "",
    "interval_ms": 60000,
    "updated_at": "2026-05-01T11:59:58Z",
}
OF_TYPE: dict[str, dict[str, Any]] = {
    "station.changed.v1": STATION,
    "station.poll_finished.v1": POLL,
    "order.cancelled.v1": {"reason": "customer"},
    "order.payment_status_changed.v1": {"status": "in_doubt"},
    "payment.action_required.v1": {"code": "confirm_at_bank"},
    "payment.refunded.v1": {"code": ""},
}


def site_events() -> list[type[Event]]:
    """The events of the site, without those that tests declare; by topic, in the order of their declarations."""
    ours = [one for one in declared_events() if one.__module__.partition(".")[0] in ("mcommerce", "stations")]
    return sorted(ours, key=lambda one: (one.topic, one.__module__))


def sample_of(event_type: type[Event]) -> Event:
    """An event with the values above, else those that a sample of it has for tests; the same each time."""
    values = EVERYWHERE | OF_TYPE.get(event_type.wire_type(), {})
    fields = msgspec.structs.fields(event_type)
    known = {one.name: msgspec.convert(values[one.name], one.type) for one in fields if one.name in values}
    made = msgspec.json.encode(sample(event_type, **known)).decode()
    return decode(DRAWN_ID.sub(ANY_ID, made).encode(), event_type)
