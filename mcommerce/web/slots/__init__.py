"""Page slots: named places on pages where any module shows a fragment of its own.

`docs/how-to/fragment-on-another-page.md` shows an example.
"""

from mcommerce.web.slots.registry import fragment

__all__ = ["fragment"]
