"""An app of somebody else: it gives points for orders, and shows fragments on every page that has a place for them."""
