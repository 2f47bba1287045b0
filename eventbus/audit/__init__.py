"""Check that every published event is in exactly one state for every group (the delivery audit)."""
