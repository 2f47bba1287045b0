"""A small app for workers in shifts: who rings is answered once, in order, and it is written down when."""
