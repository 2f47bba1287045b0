"""The pages of the shopper: cart, checkout and order."""
