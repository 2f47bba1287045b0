"""Record the answers of a feed in a file, and play such a file again as a feed."""
