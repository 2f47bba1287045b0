"""Write events to the outbox in the caller's transaction, and append them to the log in order."""
