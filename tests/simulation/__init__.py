"""What the long random tests share."""
