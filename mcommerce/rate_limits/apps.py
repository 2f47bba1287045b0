from django.apps import AppConfig


class RateLimitsConfig(AppConfig):
    name = "mcommerce.rate_limits"
