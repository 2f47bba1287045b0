"""Middleware and rules of every request, and the watch that a process's sockets share."""
