"""The name of a request's route for metrics and traces: never its path, which visitors choose."""

from django.http import HttpRequest
from django.urls import Resolver404, resolve

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
NO_ROUTE = "none"  # of a path that the site does not have
ADMIN = "admin"  # all pages of the admin are one route: there are hundreds, for a few people


def method_of(request: HttpRequest) -> str:
    """Return the method, or `other` for one that visitors made up."""
    method = request.method or ""
    return method if method in METHODS else OTHER_METHOD


def route_of(request: HttpRequest) -> str:
    """Return the URL name of an answered request."""
    match = request.resolver_match
    if match is None:  # a middleware has answered before the path was looked up
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return NO_ROUTE
    if match.namespaces[:1] == [ADMIN]:
        return ADMIN
    return match.view_name
