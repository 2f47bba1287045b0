"""`python -m tests.containers.visitor SEED`: somebody orders at http://shop.localhost and pays, and says so."""

import random
import sys

from tests.chaos.shop import shopping

WAIT_SECONDS = 120.0  # on a busy machine


def main(seed: int) -> None:
    shopping.WAIT_SECONDS = shopping.PATIENCE_SECONDS = WAIT_SECONDS
    chance = random.Random(seed)
    visitor = shopping.Visitor(["http://shop.localhost"], chance)
    order = shopping.place(visitor, chance)
    shopping.wait_for(visitor, order, "Awaiting payment")
    if not shopping.pay(visitor, order, shopping.GOOD):
        sys.exit(f"order {order} was not charged")
    print(shopping.wait_for(visitor, order, "Paid"), order)


if __name__ == "__main__":
    main(int(sys.argv[1]))
