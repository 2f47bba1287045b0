"""Describe groups, topics, events and who handles them, for the pages of operators."""
