"""Repair the bus: replay, skip, redeliver, requeue, discard, republish, and mend what a restore left behind."""
