"""A module of the site with a bad release: its handler fails while a file is there."""
