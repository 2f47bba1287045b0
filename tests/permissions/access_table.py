"""What everything on the site needs. Whatever has no row here fails the test: add one, and think before you do.

A row of ROUTES: the name of a URL pattern, what GET needs, what POST needs (left out: it takes no POST).
A row of DESK: a model in the admin. A row of SOCKETS: a path. A row of DECISIONS: a button on an order's page.
"""

from tests.permissions.access_needs import (
    ALL,
    NO_METHOD,
    NOBODY,
    OWNER,
    SIGNED_IN,
    STAFF,
    SUPERUSER,
    Desk,
    Need,
    Route,
    owner_or,
    permission,
)

SOME_ORDERS = permission("orders.view_order", "orders.view_offer", "orders.change_offer")

ROUTES: dict[str, Route] = {
    # --- the shop ---
    "products:list": Route(get=ALL),
    "products:detail": Route(get=ALL),
    "products:picture": Route(get=ALL),
    "orders:cart": Route(get=ALL),
    "orders:count": Route(get=ALL),
    "orders:add": Route(get=NO_METHOD, post=ALL),
    "orders:change": Route(get=NO_METHOD, post=ALL),
    "orders:agree": Route(get=NO_METHOD, post=ALL),
    "orders:take": Route(get=NO_METHOD, post=ALL),
    "orders:checkout": Route(get=ALL, post=ALL),
    "orders:terms": Route(get=ALL),
    "orders:list": Route(get=SIGNED_IN),
    "orders:order": Route(get=owner_or("orders.view_order")),
    "orders:open": Route(get=ALL),  # a redirect; the key decides what the session sees from then on
    "orders:cancel": Route(
        get=NO_METHOD, post=Need(owner=True, clauses=(("orders.view_order",), ("orders.cancel_order",)))
    ),
    "orders:rest": Route(get=NO_METHOD, post=owner_or("orders.view_order")),  # into one's own cart
    # Whoever pays for somebody harms nobody; nothing of the order is shown.
    "payment:pay": Route(get=NO_METHOD, post=ALL),
    "payment:return": Route(get=ALL),
    "payment:webhook": Route(get=NO_METHOD, post=ALL),  # a signature decides, not who sends it
    # --- accounts ---
    "accounts:account": Route(get=SIGNED_IN, post=SIGNED_IN),
    "accounts:open_link": Route(get=ALL, post=ALL),  # the key decides, not who shows it
    "accounts:add_address": Route(get=SIGNED_IN, post=SIGNED_IN),
    "accounts:edit_address": Route(get=OWNER, post=OWNER),
    "accounts:delete_address": Route(get=NO_METHOD, post=OWNER),
    "account_login": Route(get=ALL, post=ALL),
    "account_logout": Route(get=ALL, post=ALL),
    "account_signup": Route(get=ALL, post=ALL),
    "account_inactive": Route(get=ALL),
    "account_email_verification_sent": Route(get=SIGNED_IN, post=SIGNED_IN),  # and who has just registered
    "account_email": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_reauthenticate": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_change_password": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_set_password": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_reset_password": Route(get=ALL, post=ALL),
    "account_reset_password_done": Route(get=ALL),
    "account_reset_password_from_key": Route(get=ALL, post=ALL),  # the key decides, not who shows it
    "account_reset_password_from_key_done": Route(get=ALL),
    "mfa_authenticate": Route(get=SIGNED_IN, post=SIGNED_IN),  # led on; and who has just given the password
    "mfa_reauthenticate": Route(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_index": Route(get=SIGNED_IN),
    "mfa_activate_totp": Route(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_deactivate_totp": Route(get=OWNER, post=OWNER),  # of a second factor, which only that customer has
    "mfa_view_recovery_codes": Route(get=OWNER),
    "mfa_download_recovery_codes": Route(get=OWNER, post=OWNER),  # who it is, is asked first
    "mfa_generate_recovery_codes": Route(get=SIGNED_IN, post=SIGNED_IN),
    "set_language": Route(get=ALL, post=ALL),
    # --- stations ---
    "stations:dashboard": Route(get=ALL),
    "stations:state": Route(get=ALL),
    "stations:station": Route(get=ALL),
    "stations:producer": Route(get=permission("stations.view_pollplan")),
    "stations:steer": Route(get=NO_METHOD, post=permission("stations.change_pollplan"), data={"action": "stop"}),
    "stations:remark": Route(get=NO_METHOD, post=permission("stations.add_remark"), data={"message": "Hello"}),
    # --- machines ---
    "health-live": Route(get=ALL),
    "health-ready": Route(get=ALL),
    "health-serving": Route(get=ALL),
    # --- the desk, beside its tables ---
    "admin:index": Route(get=STAFF, post=STAFF),
    "admin:app_list": Route(get=SOME_ORDERS, post=SOME_ORDERS),  # tried with the orders'
    "admin:login": Route(get=STAFF, post=STAFF),  # others are sent to the one sign-in page
    "admin:logout": Route(get=NO_METHOD, post=STAFF),
    "admin:password_change": Route(get=STAFF, post=STAFF),
    "admin:password_change_done": Route(get=STAFF),
    "admin:autocomplete": Route(get=NOBODY),  # no form of ours completes by itself
    "admin:jsi18n": Route(get=STAFF),
    "admin:view_on_site": Route(get=STAFF, post=STAFF),  # leads to a public page
    "admin:auth_user_password_change": Route(
        get=permission("accounts.change_user"), post=permission("accounts.change_user")
    ),
    "admin:orders_order_decide": Route(
        get=permission("orders.view_order") & permission("orders.cancel_order"),
        post=permission("orders.view_order") & permission("orders.cancel_order"),
    ),
}

DECISIONS: dict[str, Need] = {
    "ship": permission("orders.ship_order"),
    "deliver": permission("orders.ship_order"),
    "refund": permission("orders.refund_order"),
    "put-back": permission("orders.refund_order"),
    "refund-again": permission("orders.refund_order"),
    "looked-at": permission("orders.change_order"),
    "cancel": permission("orders.cancel_order"),
}

DESK: dict[str, Desk] = {
    # --- people and rights ---
    "accounts.user": Desk(
        add=permission("accounts.add_user") & permission("accounts.change_user"),
        change=permission("accounts.change_user"),  # of customers; test_rights.py tries the rest
        delete=permission("accounts.delete_user"),
        actions={"delete_selected": permission("accounts.delete_user"), "take_second_factor_away": SUPERUSER},
    ),
    "auth.group": Desk(add=SUPERUSER, change=SUPERUSER, delete=SUPERUSER, actions={"delete_selected": SUPERUSER}),
    # --- the shop ---
    "products.product": Desk(
        add=permission("products.add_product"),
        change=permission("products.change_product"),
        actions={
            "put_up_for_sale": permission("products.change_product"),
            "take_off_sale": permission("products.change_product"),
        },
    ),
    "products.reservation": Desk(),
    "products.stockmovement": Desk(),
    "orders.order": Desk(
        see=permission("orders.view_order"),  # who may say that they looked, sees nothing by that
        actions={
            "cancel": permission("orders.cancel_order"),
            "ship": permission("orders.ship_order"),
            "deliver": permission("orders.ship_order"),
            "refund_again": permission("orders.refund_order"),
            "looked_at": permission("orders.change_order"),
        },
    ),
    "orders.offer": Desk(),
    "payment.payment": Desk(actions={"ask_again": permission("payment.change_payment")}),
    "payment.refund": Desk(),
    "payment.ledgerentry": Desk(),
    "payment.webhookreceipt": Desk(),
    # --- stations ---
    "stations.station": Desk(),
    "stations.stationhistory": Desk(),
    "stations.pollrun": Desk(),
    "stations.pollplan": Desk(),
    "stations.remark": Desk(
        delete=permission("stations.delete_remark"),
        actions={"delete_selected": permission("stations.delete_remark")},
    ),
    # --- the bus ---
    "eventbus.divergence": Desk(),
    "eventbus.forgottenspan": Desk(),
    "eventbus.outboxrow": Desk(
        actions={
            "resend": permission("eventbus.change_outboxrow"),
            "withdraw": permission("eventbus.change_outboxrow"),
        }
    ),
    "eventbus.deadletter": Desk(
        actions={
            "requeue": permission("eventbus.change_deadletter"),
            "discard": permission("eventbus.change_deadletter"),
            "restore": permission("eventbus.change_deadletter"),
        }
    ),
    "eventbus.ignoredtype": Desk(
        actions={
            "redeliver": permission("eventbus.change_ignoredtype"),
            "dismiss": permission("eventbus.change_ignoredtype"),
        }
    ),
    "eventbus.consumergroup": Desk(
        actions={
            "pause": permission("eventbus.change_consumergroup"),
            "resume": permission("eventbus.change_consumergroup"),
            "redeliver": permission("eventbus.change_consumergroup"),
        }
    ),
    "eventbus.untrustedrecord": Desk(actions={"dismiss": permission("eventbus.change_untrustedrecord")}),
    "eventbus.timer": Desk(),
    "eventbus.parkedevent": Desk(),
    "eventbus.parkedkey": Desk(),
    "eventbus.operatoraction": Desk(),
    "eventbus.replayrun": Desk(),
    "eventbus.progress": Desk(),
    "eventbus.leaserow": Desk(),
    "eventbus.processrow": Desk(),
}

SOCKETS: dict[str, Need] = {
    "ws/stations/": ALL,
    "ws/orders/<uuid:order_id>/": owner_or("orders.view_order"),
    "ws/producer/": permission("stations.view_pollplan"),
}
