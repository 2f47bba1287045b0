"""Decide what follows a failed handler: retry, park the key, dead-letter the event, or open the circuit breaker."""
