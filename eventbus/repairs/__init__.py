"""Repair the bus: replay, redeliver, requeue, discard, republish, and mend what a restore left behind."""
