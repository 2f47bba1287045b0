"""Rate limits, counted in the database by all processes of the site together."""
