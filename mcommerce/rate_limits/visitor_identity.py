"""The identity of a visitor for rate limits."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

IPV6_PREFIX = 64  # bits; a household has such a network to itself, so its addresses count as one
HASH_LENGTH = 32  # hexadecimal digits, 128 bits


def network_of(address: str) -> str:
    """Return the key by which a visitor is counted: the IPv4 address, or the IPv6 network of a household.

    Behind a proxy, `mcommerce.web.proxy` must have put the visitor's own address into REMOTE_ADDR before.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:  # a dual-stack server names IPv4 visitors so
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), IPV6_PREFIX), strict=False))


def network_of_request(request: HttpRequest) -> str:
    """Return the network that a request comes from."""
    return network_of(request.META.get("REMOTE_ADDR", ""))


def mailbox_of(email: str) -> str:
    """Return the mailbox that most likely gets mail to this address: what follows a plus reaches the same person."""
    name, _at, host = email.lower().rpartition("@")
    return f"{name.partition('+')[0]}@{host}"


def keyed_hash(who: object) -> str:
    """Return a hash to store instead of an address. It differs for each address, and reveals none."""
    return salted_hmac("mcommerce.rate_limits", repr(who), algorithm="sha256").hexdigest()[:HASH_LENGTH]
