"""The sockets of the stations: admission, protocol, and the socket that pulls."""
