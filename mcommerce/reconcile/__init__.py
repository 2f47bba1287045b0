"""`manage.py reconcile`: differences between provider, payments, orders, stock and bus."""
