"""Parts that the long random tests share."""
