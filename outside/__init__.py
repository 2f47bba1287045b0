"""Calls to services of others: limited in time, size and concurrency, and paused while the service fails.

The package knows no feature and no service. The caller says which errors count as failures of its service.
"""
