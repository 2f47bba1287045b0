"""The failpoints of the payments: around each call of the payment provider, and each commit beside one."""

from eventbus import failpoints

failpoints.declare(
    commits={
        "payment.claim": "an attempt is written down, and the payment provider does not know it",
        "payment.down": "the payment provider was not reached, and the shopper may try again",
        "payment.doubt": "the payment provider did not answer, and a check is put ahead",
        "payment.record": "the session's page is known",
        "payment.unsure": "the payment provider did not say how a payment stands",
        "payment.settle": "how the payment stands is written down",
        "payment.webhook": "a webhook is handled",
        "payment.refund.claim": "the money of a refund is set aside",
    },
    outside={
        "payment.open": "an attempt is claimed, and no session is open",
        "payment.opened": "a session is open, and only this thread knows",
        "payment.ask": "how a session stands is about to be asked, or that it ends",
        "payment.asked": "how a session stands is known to this thread",
        "payment.refund": "a refund is claimed, and not asked for",
        "payment.refunded": "money has gone back, and only this thread knows",
    },
)
