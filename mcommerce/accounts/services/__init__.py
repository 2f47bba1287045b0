"""The writes of the accounts."""
