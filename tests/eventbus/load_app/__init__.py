"""A small site for tests of many processes: one group, whose handler writes down what it saw and where.

`dispatching`, `publishing` and `watching` are its programs, each run with `python -m`.
"""
