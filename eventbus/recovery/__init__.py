"""Detect that the log or the database lost something, and bring the two together again."""
