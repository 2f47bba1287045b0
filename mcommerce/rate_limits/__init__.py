"""How often somebody may do something: counted in the database, by all processes of the site together."""
