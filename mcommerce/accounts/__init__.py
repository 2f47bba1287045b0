"""Customers and staff: accounts, addresses, signing in."""
