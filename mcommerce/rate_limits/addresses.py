"""Where somebody comes from, as far as limits are concerned."""

from ipaddress import IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64  # bits; a household has that many addresses to itself, so they count as one


def network_of(address: str) -> str:
    """The address, or the network that one household has: what is counted as one visitor.

    Behind a proxy `mcommerce.proxy` has put the visitor's own address into REMOTE_ADDR before.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:  # a server that listens on both kinds names IPv4 visitors so
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), IPV6_PREFIX), strict=False))
