"""Report the state of the bus, and let operators pause groups, prune tables and set up topics."""
