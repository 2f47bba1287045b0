"""The pages of the catalogue, a product, a picture."""

from django.core.files.storage import storages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from mcommerce.products.forms import CatalogueForm
from mcommerce.products.pictures import CONTENT_TYPE
from mcommerce.products.services import search

PAGE_SIZE = 24  # cards: full rows of two, three and four
PAGES_BESIDE = 2  # links to pages on each side of this one: a row of them fits a telephone
QUANTITY_MAX = 20  # pieces in one order, as in the cart
FEW_LEFT = 5  # pieces; from here on the badge says how many
SUGGESTIONS = 4  # cards on the page of a missing product: one row
PICTURE_SECONDS = 365 * 24 * 60 * 60  # an upload never changes under its name
PICTURE_POLICY = "default-src 'none'; sandbox"  # a browser that takes it for another type runs and fetches nothing


@require_safe
def show_catalogue(request: HttpRequest) -> HttpResponse:
    """Show the products for sale, searched and sorted by the query string."""
    form = CatalogueForm(request.GET)
    found = search.find_products(text=form.text, sort=form.chosen_sort, language=get_language() or "")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    kept = request.GET.copy()
    kept.pop("page", None)
    context = {
        "page": page,
        "page_links": page.paginator.get_elided_page_range(page.number, on_each_side=PAGES_BESIDE),
        "text": form.text,
        "sort": form.chosen_sort,
        "sorts": form.SORTS.items(),
        "few_left": FEW_LEFT,
        "kept_query": kept.urlencode(),
    }
    return render(request, "products/list.html", context)


@require_safe
def show_product(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one product; redirect an old address to the new one for good."""
    product = search.product_at(slug)
    if product is None:
        if moved := search.moved_to(slug):
            return redirect(moved, permanent=True)
        return _not_for_sale(request)
    quantity_max = min(QUANTITY_MAX, product.stock.available)
    context = {"product": product, "quantity_max": quantity_max, "few_left": FEW_LEFT}
    return render(request, "products/detail.html", context)


@require_safe
@cache_control(public=True, max_age=PICTURE_SECONDS, immutable=True)
def show_picture(request: HttpRequest, name: str) -> HttpResponse:
    """Serve a picture that the merchant uploaded."""
    try:
        with storages["default"].open(f"pictures/{name}") as file:
            picture = file.read()
    except FileNotFoundError:
        raise Http404(name) from None
    return HttpResponse(picture, content_type=CONTENT_TYPE, headers={"Content-Security-Policy": PICTURE_POLICY})


def _not_for_sale(request: HttpRequest) -> HttpResponse:
    others = search.find_products(text="", sort=search.Sort.NEWEST, language="")[:SUGGESTIONS]
    return render(request, "products/not_for_sale.html", {"page": others, "few_left": FEW_LEFT}, status=404)
