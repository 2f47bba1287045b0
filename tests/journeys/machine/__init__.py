"""A shop that random people use while random things go wrong, and what must be true of it whatever they do."""
