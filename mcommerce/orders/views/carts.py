"""The cart page and its four buttons."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from eventbus import clock
from mcommerce.orders import access
from mcommerce.orders.carts import cart as carts
from mcommerce.orders.carts.cart_session import find_cart, keep_cookie, open_cart
from mcommerce.orders.forms import AddForm, LineForm
from mcommerce.orders.models import Cart, CartLine, Offer, Order
from mcommerce.orders.views.order_page import OrderPage, page_of
from mcommerce.web.resubmission import request_id


@require_GET
@never_cache
def cart(request: HttpRequest) -> HttpResponse:
    """Show the cart, what changed since its lines were added, and what was just taken out."""
    basket = find_cart(request)
    items = carts.items_in(basket)
    totals = carts.totals_of(items)
    mixed = len(totals) > 1
    context = {
        "items": items,
        "totals": totals,
        "mixed": mixed,
        "changed": any(item.gone or item.repriced for item in items),
        "short": any(item.scarce for item in items),
        "waits": mixed or any(item.waits for item in items),
        "came_back": _came_back(request, basket) if basket and items else [],
        "quantity_max": carts.QUANTITY_MAX,
        "removed": _removed(request, items),
    }
    return render(request, "orders/cart.html", context)


@require_GET
@never_cache
def count(request: HttpRequest) -> HttpResponse:
    """Show only the header's link to the cart, for a page that was loaded before the cart changed."""
    return render(request, "site/cart_link.html")


def _came_back(request: HttpRequest, cart: Cart) -> list[tuple[OrderPage, bool]]:
    """Return the orders whose lines came back into the cart and await a decision. Each comes with `_may_look`."""
    orders = cart.came_back.prefetch_related("lines", "steps", "refunds")
    return [(page_of(order, now=clock.now()), _may_look(request, order)) for order in orders]


def _may_look(request: HttpRequest, order: Order) -> bool:
    """Return whether this browser may open it. A guest's order stays with the guest's browser."""
    return access.find_visible(order.id, user=request.user, session=request.session) is not None


def _removed(request: HttpRequest, items: list[carts.Item]) -> dict[str, Any] | None:
    """Return what the "put it back" button restores; None once it is back."""
    form = AddForm({"product_id": request.GET.get("removed"), "quantity": request.GET.get("quantity")})
    if not form.is_valid() or any(item.offer.product_id == form.cleaned_data["product_id"] for item in items):
        return None
    offer = Offer.objects.filter(product_id=form.cleaned_data["product_id"], for_sale=True).first()
    return {"offer": offer, "quantity": form.cleaned_data["quantity"]} if offer else None


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Put a product into the cart and show the cart."""
    form = AddForm(request.POST)
    if not form.is_valid():
        messages.error(request, _limits())
        return redirect("orders:cart")
    now = clock.now()
    basket = open_cart(request, now)
    try:
        carts.add(cart=basket, now=now, request_id=request_id(request), **form.cleaned_data)
    except carts.NotForSale:
        messages.error(request, _("That is not for sale any more."))
    except carts.CartFull:
        messages.error(request, _("The cart is full. Order what is in it first."))
    response = redirect("orders:cart")
    keep_cookie(response, basket)
    return response


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Set the quantity of a line. 0 takes the line out, and the cart page then offers to put it back."""
    form = LineForm(request.POST)
    basket = find_cart(request)
    if basket is None or not form.is_valid():
        messages.error(request, _limits())
        return redirect("orders:cart")
    product_id = form.cleaned_data["product_id"]
    before = _quantity_of(basket.lines.filter(product_id=product_id))
    carts.change(cart=basket, now=clock.now(), **form.cleaned_data)
    if form.cleaned_data["quantity"] or not before:
        return redirect("orders:cart")
    return redirect(f"{reverse('orders:cart')}?{_way_back(product_id, before)}")


def _quantity_of(lines: QuerySet[CartLine]) -> int | None:
    return lines.values_list("quantity", flat=True).first()


def _way_back(product_id: UUID, quantity: int) -> str:
    return urlencode({"removed": str(product_id), "quantity": str(quantity)})


def _limits() -> str:
    return _("Choose between 1 and %(most)s pieces.") % {"most": carts.QUANTITY_MAX}


@require_POST
def take(request: HttpRequest) -> HttpResponse:
    """Lower the cart to the pieces that are free."""
    basket = find_cart(request)
    if basket:
        carts.take_what_is_there(cart=basket, now=clock.now())
        if not carts.pieces_in(basket.id):
            messages.info(request, _("Nothing of it is left right now. Have a look at what else there is."))
    return redirect("orders:cart")


@require_POST
def agree(request: HttpRequest) -> HttpResponse:
    """Agree to the current prices, and to go without what is gone."""
    basket = find_cart(request)
    if basket:
        carts.agree(cart=basket, now=clock.now())
    return redirect("orders:cart")
