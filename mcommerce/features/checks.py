"""System checks of the features: each finding names the file and the line to write."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import module_has_submodule

from mcommerce.features.installed import features


@register()
def pages_have_addresses(**ignored: Any) -> list[CheckMessage]:
    """Find features whose pages nobody can reach, because no address leads to them."""
    return [
        Error(
            f"{config.name} has a urls.py, and its AppConfig does not say where these addresses begin.",
            hint=f'Write url_prefix: ClassVar = "{config.label}/" in {type(config).__name__}, in '
            f"{config.name.replace('.', '/')}/apps.py.",
            obj=config.name,
            id="mcommerce.E001",
        )
        for config in features()
        if module_has_submodule(config.module, "urls") and getattr(config, "url_prefix", None) is None
    ]
