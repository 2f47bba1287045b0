"""`python -m tests.chaos.shop.operator_process`: the operator, who decides about mails that a death left in doubt.

One is sent again if the letterbox does not hold it, and let go if it does: `on_unknown_outcome="never"` asks a
person for that.
"""

from pathlib import Path

import django


def decide() -> None:
    """Wish for each; the worker obeys."""
    from django.conf import settings

    from eventbus.models import DeadLetter
    from eventbus.operations import status
    from mcommerce.orders.models import Order
    from tests.letterbox import letters

    sent = letters(Path(settings.CHAOS_FOLDER))
    for letter in DeadLetter.objects.filter(state="open", request="", group="mail", error_class="OutcomeUnknown"):
        kind, number = letter.type.split(".")[1], Order.objects.get(id=letter.key).number
        request = status.request_discard if sent[kind, number] else status.request_requeue
        request(letter, "operator")


if __name__ == "__main__":
    django.setup()
    decide()
