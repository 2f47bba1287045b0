"""Services of others: each is asked within a time and a size, by few at once, and is left alone while it fails.

It knows no feature, and none of the services: who asks one says what of it is a failure.
"""
