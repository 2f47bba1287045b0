"""Every kind of fault there is."""

from tests.chaos import faults
from tests.chaos.shop import faults as of_the_shop

KINDS: dict[str, faults.Fault] = {**faults.KINDS, **of_the_shop.KINDS}
