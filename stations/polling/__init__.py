"""The poller of each feed."""
