"""The catalogue, its pictures, and the stock."""
