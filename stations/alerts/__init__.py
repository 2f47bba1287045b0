"""Riders' alerts: a mail and a signed webhook, once in each episode, when a place runs short or falls silent."""
