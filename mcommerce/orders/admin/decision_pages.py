"""The buttons on an order's page in the admin. Each leads to a page that shows the effects and asks to confirm."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from eventbus import clock
from mcommerce import staff_permissions
from mcommerce.orders import access
from mcommerce.orders.admin.decisions import DECISIONS, Decision
from mcommerce.orders.models import Order


class DecidingAdmin(admin.ModelAdmin):
    """The buttons on an order's page."""

    change_form_template = "admin/orders/order/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        address = "<uuid:order_id>/decide/<slug:name>/"
        return [
            path(address, self.admin_site.admin_view(self.decide_view), name="orders_order_decide"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        buttons = [one for one in DECISIONS.values() if order and self.may(request, one) and one.possible(order)]
        return super().change_view(request, object_id, form_url, {"decisions": buttons, **(extra_context or {})})

    def decide_view(self, request: HttpRequest, order_id: Any, name: str) -> HttpResponse:
        """Show the effects on GET; apply the decision on POST, if the order is still in the state shown."""
        decision, order = DECISIONS.get(name), self.get_object(request, str(order_id))
        if decision is None or order is None:
            raise Http404
        if not self.may(request, decision):
            raise PermissionDenied
        if not decision.possible(order):
            messages.warning(request, _("Nothing was done: the order is in a state that does not allow it."))
            return self._to_order(order)
        form = decision.form(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if request.POST.get("seen") == order.state:
                return self._decide(request, decision, order, form.cleaned_data)
            messages.warning(request, _("The order has changed meanwhile. Look again at what will happen."))
        return self._ask(request, decision, order, form)

    def may(self, request: HttpRequest, decision: Decision) -> bool:
        """Return whether this staff member may see orders and decide this about them."""
        return staff_permissions.may(request.user, access.VIEW) and staff_permissions.may(
            request.user, decision.permission
        )

    def _decide(
        self, request: HttpRequest, decision: Decision, order: Order, answers: dict[str, Any]
    ) -> HttpResponseRedirect:
        said = _("Done: %(what)s.") % {"what": decision.label}
        if decision.decide(order=order, by=request.user.pk, now=clock.now(), **answers):
            messages.success(request, f"{said} {decision.then}".strip())
        else:
            messages.warning(request, _("Nothing was done: somebody was quicker."))
        return self._to_order(order)

    def _ask(self, request: HttpRequest, decision: Decision, order: Order, form: Any) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": decision.label,
            "opts": self.opts,
            "order": order,
            "decision": decision,
            "effects": decision.effects(order),
            "form": form,
        }
        return TemplateResponse(request, "admin/orders/order/decide.html", context)

    def _to_order(self, order: Order) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order.id]))
