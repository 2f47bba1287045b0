"""The bikes: a live map of the world's stations."""
