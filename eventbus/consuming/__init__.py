"""Fetch records for a consumer group and call its handlers, each event once and in order per key."""
