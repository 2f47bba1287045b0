"""The shop, and the wiring of the site."""
