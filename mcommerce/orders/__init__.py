"""Carts, and orders from placed to delivered."""
