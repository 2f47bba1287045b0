"""Chaos: real processes over Kafka and PostgreSQL, faults drawn from a seed, and an oracle that stands outside."""
