"""Find settings of brokers, topics, clients, database, site and clocks that endanger a promise of the bus."""
