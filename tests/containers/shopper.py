"""`python -m tests.containers.shopper SEED`: somebody orders at http://shop.localhost and pays, and says so."""

import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.shop import shoppers

WAIT_SECONDS = 120.0  # on a busy machine


def main(seed: int) -> None:
    shoppers.WAIT_SECONDS = shoppers.INSIST_SECONDS = WAIT_SECONDS
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        diary = shoppers.Diary(Path(folder) / "diary")
        visitor, order = place(diary, chance)
        shoppers.wait_for(visitor, order, "Awaiting payment")
        if not shoppers.pay(visitor, order, shoppers.GOOD):
            sys.exit(f"order {order} was not charged")
        print(shoppers.wait_for(visitor, order, "Paid"), order)
        diary.put_away()


def place(diary: shoppers.Diary, chance: random.Random) -> tuple[shoppers.Visitor, str]:
    """Somebody, and the order's id.

    A catalogue that was loaded just now may not have reached the carts yet, and fewer may be left than somebody wants:
    then another comes.
    """
    deadline, doors = time.monotonic() + WAIT_SECONDS, shoppers.Doors(["http://shop.localhost"])
    while True:
        visitor = shoppers.Visitor(doors, diary, chance)
        try:
            return visitor, shoppers.place(visitor, chance)
        except shoppers.GaveUp:
            if time.monotonic() > deadline:
                raise
            time.sleep(shoppers.LOOK_SECONDS)  # between two tries of a loop that has a deadline


if __name__ == "__main__":
    main(int(sys.argv[1]))
