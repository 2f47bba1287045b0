"""What a deploy costs: real workers over Kafka follow one another under load. `python -m tests.rolling` measures it."""
