"""The overview while the tables are locked by which it recognises staff."""
