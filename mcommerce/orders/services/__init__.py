"""The writes of the orders: place, pay, cancel, send, refund, return. Each function is one transaction."""
