"""Metrics of the whole site at `/metrics`, for Prometheus: requests, the bus's state, and what each process counts."""
