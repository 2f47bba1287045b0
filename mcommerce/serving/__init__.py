"""The server process: background threads, draining, the gunicorn worker, garbage collection."""
