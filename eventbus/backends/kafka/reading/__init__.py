"""Read from Kafka: one thread polls the client, so that a handler may take as long as it needs."""
