"""Payments: attempts at the provider, captures, refunds, and the ledger."""
