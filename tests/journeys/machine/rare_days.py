"""The shop on a day that has something to tell: what seldom comes about by itself is one step here.

An order that is paid and given back, one that is paid when it is cancelled, a webhook forged while money is awaited:
each asks for several rules in a row with the same order, and on half of the days one of those rules does not come.
"""

from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from eventbus import clock
from mcommerce.orders.services import lifecycle as orders
from tests.journeys.machine.operator_rules import WORK, teams, turns
from tests.journeys.machine.restore_rules import RestoredMachine
from tests.journeys.machine.shopper_rules import CARDS, ShopMachine, cards, products

fates = st.sampled_from(["be sorry", "be glad", *["pay too late"] * 2, "try again", "forge"])
seeds = st.integers(0, 2**16)
wrong = st.sampled_from([*WORK, *[""] * len(WORK)])


class FatefulMachine(RestoredMachine):
    """Whoever orders here meets a fate: the first one in the morning does, and more by chance."""

    @initialize(
        target=ShopMachine.placed,
        seed=st.integers(0, 2**16),
        fate=fates,
        card=cards,
        wrong=wrong,
        team=teams,
        turn=turns,
    )
    def begin(self, seed: int, fate: str, card: str, wrong: str, team: str, turn: int) -> UUID:
        """On half of the days something goes wrong with the first order, and somebody at the console sees to it."""
        if wrong:
            self.ahead.append((wrong, team))
        order = super().begin(seed=seed)
        self.operate(turn=turn, team=team)
        self._meet(order, fate, card)
        return order

    @rule(target=ShopMachine.placed, product=products, fate=fates, card=cards)
    def order_one(self, product: int, fate: str, card: str) -> UUID:
        order = self.order(wanted=[(product, 1)], clicks=1)
        self._meet(order, fate, card)
        return order

    def _meet(self, order: UUID, fate: str, card: str) -> None:
        if fate in ("be sorry", "be glad"):
            self.go_and_pay(order=order, tries=[(card, True)])
            self.see_to(order=order, what="ship" if fate == "be glad" else "cancel by staff")
        elif fate == "try again":
            self.go_and_pay(order=order, tries=[(card, True), ("good", True)])
        elif page := self._page_for(order):
            if fate == "pay too late":
                orders.cancel_by_customer(order_id=order, now=clock.now())
                self.company.pay(page, CARDS[card])
                self.happened()
            else:
                self.forge_webhook(page=page)
