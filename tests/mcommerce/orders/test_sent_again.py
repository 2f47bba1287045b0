"""A form that a replica died over: the browser sends it again, and nothing is done twice."""

from uuid import uuid4

from mcommerce.orders.models import CartLine
from tests.mcommerce.orders.conftest import Shopper, put_up


def test_a_form_that_a_browser_sends_again_for_want_of_an_answer_adds_nothing_more(shopper: Shopper) -> None:
    """The proxy tells which request it was; another press of the button is another request."""
    vase, sent = put_up(), uuid4()
    form = {"product_id": vase.product_id, "quantity": 1}

    shopper.add(vase)
    shopper.browser.post("/cart/add/", form, headers={"X-Request-Id": str(sent)})
    shopper.browser.post(f"/cart/add/?again={sent}&", form, headers={"X-Request-Id": str(uuid4())})
    shopper.browser.post("/cart/add/?again=nonsense", form, headers={"X-Request-Id": str(uuid4())})

    assert [line.quantity for line in CartLine.objects.all()] == [3]
