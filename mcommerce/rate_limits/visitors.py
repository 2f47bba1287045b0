"""Who somebody is, as far as limits are concerned."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

IPV6_PREFIX = 64  # bits; a household has that many addresses to itself, so they count as one
HASH_LENGTH = 32  # hexadecimal digits, 128 bits


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


def network_of_request(request: HttpRequest) -> str:
    """Where a request comes from."""
    return network_of(request.META.get("REMOTE_ADDR", ""))


def mailbox_of(email: str) -> str:
    """Where a mail to this address arrives, as far as anybody can tell: what follows a plus reaches the same person."""
    name, _at, host = email.lower().rpartition("@")
    return f"{name.partition('+')[0]}@{host}"


def keyed_hash(who: object) -> str:
    """Tells one from another and names nobody: what is kept instead of an address. It has one length."""
    return salted_hmac("mcommerce.rate_limits", repr(who), algorithm="sha256").hexdigest()[:HASH_LENGTH]
