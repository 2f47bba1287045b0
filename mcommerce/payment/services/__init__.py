"""The writes of the payments: attempts, captures, refunds, checks and repairs."""
