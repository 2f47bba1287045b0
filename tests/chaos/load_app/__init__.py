"""The small site that the faults are let loose on: a town whose people call, and where each call is written down.

`publishing` and `preparing` are its own programs; relays and workers are the project's commands, run on its settings.
"""
