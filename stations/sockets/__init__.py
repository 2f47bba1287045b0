"""The sockets of the stations: admission, protocol, backpressure."""
