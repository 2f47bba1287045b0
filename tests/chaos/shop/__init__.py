"""The whole shop among the faults: two web processes, poller, payment provider, and people who order over plain HTTP.

It plays beside the town, on the same bus. `shoppers`, `company` and `setup` are its own programs; pages and poller are
run by the image's entry point.
"""
