"""Pictures that a merchant uploads: told by their bytes, never by their name."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.utils.translation import gettext_lazy as _

from eventbus.ids import uuid7

PICTURE_BYTES_MAX = 5 * 1024 * 1024  # a photograph of a whole screen; more only makes the shop slow
HEAD_BYTES = 1024  # an SVG may begin with a declaration and comments

CONTENT_TYPES = {"svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
SVG = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE svg[^>\[]*>\s*)*<svg[\s>]", re.S
)


def kind_of(file: File) -> str | None:
    """The picture's kind as a file ending, or None for what is no picture that we show."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return "svg" if SVG.match(head) else None


def allow_picture(file: File) -> None:
    """Raises ValidationError for what is too large or no picture."""
    if file.size > PICTURE_BYTES_MAX:
        raise ValidationError(
            _("This file is larger than %(megabytes)d MB."),
            params={"megabytes": PICTURE_BYTES_MAX // (1024 * 1024)},
        )
    if kind_of(file) is None:
        raise ValidationError(_("This file is no SVG, PNG, JPEG or WebP picture."))


def picture_name(product: Any, _name: str) -> str:
    """A new name for each upload: nothing of the sender's name is trusted, and browsers may keep it for ever."""
    return f"pictures/{uuid7()}.{kind_of(product.picture) or 'bin'}"
