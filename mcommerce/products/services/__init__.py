"""The writes of catalogue and stock, and the search for products."""
