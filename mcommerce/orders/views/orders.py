"""Checkout, and the page of an order."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from eventbus import clock
from mcommerce.orders import access, limits
from mcommerce.orders.carts import cart as carts
from mcommerce.orders.carts import cart_return, shown_cart
from mcommerce.orders.carts.cart import items_in
from mcommerce.orders.carts.cart_session import find_cart
from mcommerce.orders.forms import CheckoutForm
from mcommerce.orders.models import Order
from mcommerce.orders.services import checkout as till
from mcommerce.orders.services import lifecycle
from mcommerce.orders.services.held_stock import HoldsTooMuch, Visitor
from mcommerce.orders.views.order_page import page_of
from mcommerce.rate_limits.visitor_identity import keyed_hash, network_of_request

ORDERS_PER_PAGE = 20  # a screen or two
CONFLICT, UNPROCESSABLE = 409, 422  # the cart differs from the page; a field is missing or wrong
PAGES_BESIDE = 2  # links to pages on each side of this one: a row of them fits a telephone


@require_http_methods(["GET", "POST"])
@never_cache
def checkout(request: HttpRequest) -> HttpResponse:
    """Show the form for customer and address on GET. Place the order on POST."""
    if request.method == "GET":
        items = items_in(find_cart(request))
        waits = len(carts.totals_of(items)) > 1 or any(item.waits for item in items)
        return redirect("orders:cart") if waits else _ask(request, CheckoutForm(initial=_known_of(request)))
    if "settle" in request.POST:
        return _settle(request)
    if "address" in request.POST:
        return _ask(request, CheckoutForm.filled_in(request.POST, request.POST["address"]))
    form = CheckoutForm(request.POST)
    return _place(request, form) if form.is_valid() else _ask(request, form, status=UNPROCESSABLE)


def _settle(request: HttpRequest) -> HttpResponse:
    """Change the cart to the current prices and free pieces, and show the form again with all that was typed.

    Nothing is ordered yet.
    """
    cart = find_cart(request)
    if cart:
        carts.agree(cart=cart, now=clock.now())
        carts.take_what_is_there(cart=cart, now=clock.now())
    return _ask(request, CheckoutForm(initial=request.POST.dict()))


def _place(request: HttpRequest, form: CheckoutForm) -> HttpResponse:
    cart, visitor = find_cart(request), _visitor(request)
    try:
        order = till.place_order(
            cart_id=cart.id if cart else None,
            buyer=form.buyer(visitor.customer_id),
            token=form.cleaned_data["token"],
            now=clock.now(),
            seen=request.POST.get("seen", ""),
            visitor=visitor,
        )
    except till.EmptyCart:
        return _nothing(request)
    except (till.CartChanged, till.MixedCurrencies):
        return _ask(request, form, status=CONFLICT)
    except HoldsTooMuch as refused:
        return _ask(request, form, status=CONFLICT, refused=[allowance.sentence for allowance in refused.short])
    access.remember(request.session, order.id)
    return redirect("orders:order", order_id=order.id)


def _visitor(request: HttpRequest) -> Visitor:
    """Count this try to order, and return the visitor. Raises RateLimited after too many tries."""
    network = network_of_request(request)
    limits.CHECKOUTS_PER_NETWORK.hit(network)
    customer_id = request.user.pk if request.user.is_authenticated else None
    if customer_id:
        limits.CHECKOUTS_PER_CUSTOMER.hit(customer_id)
    return Visitor(
        customer_id=customer_id, placed_from=keyed_hash(network), session_orders=access.remembered(request.session)
    )


def _nothing(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("There is nothing in the cart to order."))
    return redirect("orders:cart")


def _ask(request: HttpRequest, form: CheckoutForm, *, status: int = 200, refused: Sequence[str] = ()) -> HttpResponse:
    """Show the form beside the current cart. After a POST it also shows what changed since the page was loaded."""
    items = items_in(find_cart(request))
    if not items:
        return _nothing(request) if request.method == "POST" else redirect("orders:cart")
    totals = carts.totals_of(items)
    mixed = len(totals) > 1
    context = {
        "form": form,
        "items": items,
        "seen": shown_cart.written(items),
        "changes": shown_cart.changes(request.POST.get("seen", ""), items) if request.method == "POST" else [],
        "changed": status == CONFLICT and not mixed and not refused,
        "refused": refused,
        "waits": any(item.waits for item in items),
        "totals": totals,
        "mixed": mixed,
        "costs": any(totals.values()),
    }
    return render(request, "orders/checkout.html", context, status=status)


def _known_of(request: HttpRequest) -> dict[str, str]:
    """Return what the customer typed for their last order, so that they need not type it again."""
    known = {"language": (get_language() or "").partition("-")[0], "country": "FR"}
    if not request.user.is_authenticated:
        return known
    last = Order.objects.filter(customer_id=request.user.pk).first()
    if last is None:
        return {**known, "email": request.user.email, "name": request.user.name}
    names = ("email", "name", "street", "extra", "postal_code", "city", "country")
    return {**known, **{name: getattr(last, name) for name in names}}


@require_GET
def terms(request: HttpRequest) -> HttpResponse:
    """Show the terms of sale."""
    return render(request, "orders/terms.html")


@login_required
@require_GET
@never_cache
def orders(request: HttpRequest) -> HttpResponse:
    """Show the customer's orders, newest first."""
    found = Order.objects.filter(customer_id=request.user.pk).prefetch_related("lines")
    page = Paginator(found, ORDERS_PER_PAGE).get_page(request.GET.get("page"))
    page_links = page.paginator.get_elided_page_range(page.number, on_each_side=PAGES_BESIDE)
    return render(request, "orders/list.html", {"page": page, "page_links": page_links})


@require_GET
@never_cache
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Show an order as it is now.

    With `?fragment=1` it shows only the part that changes, and with `&slots=1` also other apps' fragments in it.
    """
    found = access.find_visible(order_id, user=request.user, session=request.session)
    if found is None:
        raise Http404
    template = "orders/order_now.html" if "fragment" in request.GET else "orders/order.html"
    context = {
        "page": page_of(found, now=clock.now()),
        "as_staff": access.acts_as_staff(found, request.user),
        "may_cancel": access.may_cancel(found, request.user),
        "in_my_cart": cart_return.came_back_to(find_cart(request), found),
        "with_slots": "fragment" not in request.GET or "slots" in request.GET,
    }
    return render(request, template, context)


@require_safe
@never_cache
def open_by_link(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Let this session see the order if the key of the mailed link is right; redirect to the order's page.

    It redirects with a wrong key too. So no page, history or Referer header holds the address with the key.
    """
    if access.opens(order_id, request.GET.get("key", "")):
        access.remember(request.session, order_id)
    answer = redirect("orders:order", order_id=order_id)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@require_POST
def cancel(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Cancel an order for its customer, or for staff."""
    found = access.find_visible(order_id, user=request.user, session=request.session)
    if found is None:
        raise Http404
    if not access.may_cancel(found, request.user):
        raise PermissionDenied
    if not _cancelled(request, found):
        messages.error(request, _("It is too late to cancel this order here. Write to us and we will help."))
    return redirect("orders:order", order_id=order_id)


def _cancelled(request: HttpRequest, order: Order) -> bool:
    """Cancel the order, and return whether that was still possible. The history names staff who act as staff."""
    if access.acts_as_staff(order, request.user):
        return lifecycle.cancel_by_staff(order_id=order.id, by=cast("UUID", request.user.pk), now=clock.now())
    return lifecycle.cancel_by_customer(order_id=order.id, now=clock.now())


@require_POST
def take_the_rest(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Continue with what is left of a refused order: lower its short lines, and go to the checkout."""
    found = access.find_visible(order_id, user=request.user, session=request.session)
    if found is None:
        raise Http404
    cart = find_cart(request)
    if cart and cart_return.came_back_to(cart, found):
        cart_return.take_the_rest(found, cart=cart, now=clock.now())
    return redirect("orders:checkout")
