"""A model field for e-mail addresses in their one spelling."""

from typing import Any

from django.db import models


class LowerCaseEmailField(models.EmailField):
    """An e-mail address, kept and looked up in lower case: `Ada@Example.org` and `ada@example.org` are one person."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value.lower() if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.lower() if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        address = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, address)
        return address
