"""Ask the brokers of Kafka: their topics, the ends of partitions, settings; and make or change topics."""
