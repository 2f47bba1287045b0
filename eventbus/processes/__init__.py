"""Run the loops: the dispatcher, the worker pool, the commands in the foreground, and scheduled pruning."""
