"""Calls to external services: limited in time, size and concurrency, and paused while the service fails.

The package imports no feature and knows no particular service. The caller says which errors are no failures of its
service.
"""
