"""Middleware and rules of every request: hosts, origins, headers, static files, unusable input."""
