"""Riders' alerts: a mail, once in each episode, when a station or a circle runs short or closes."""
