"""Pictures that a merchant uploads: decoded, checked, and encoded again in the sizes that pages show.

Only the pixels of the uploaded file are kept. Comments, EXIF with its GPS position, and anything else in the file never
reach a visitor. Decision 0021 gives the reasons.
"""

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import is_zipfile

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.db import models
from django.db.models.fields.files import FieldFile
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageCms, ImageOps

from eventbus.ids import uuid7

PICTURE_BYTES_MAX = 5 * 1024 * 1024  # a photograph of a whole screen; more only makes the shop slow
PIXELS_MAX = 25_000_000  # what a good camera takes, 6,000 by 4,000; they are 100 MB while they are encoded
FORMATS = ("PNG", "JPEG", "WEBP")  # no other decoder runs
SCANS_MAX = 100  # of a progressive JPEG, which has about ten: each is a pass over the whole picture
SIZES = {"page": 1280, "card": 640, "cart": 160}  # pixels of the longer side, twice what the page gives it
QUALITY = 82  # of 100: no visible loss beside the original
CONTENT_TYPE = "image/webp"

_PDF_HEAD_BYTES = 1024  # PDF readers accept a header this late
# Patterns that make a browser, a server or an office program take the file for another type. Each has at least
# five letters: compressed pixels contain shorter ones by chance.
_SOMETHING_ELSE = re.compile(rb"<(?:script|html|body|iframe|svg[\s>]|\?php|!doctype|!entity)", re.IGNORECASE)


@dataclass(frozen=True)
class ReencodedPicture:
    """A picture as it is kept: bytes of WebP by the name of a size."""

    sizes: dict[str, bytes]


def reencode(file: File) -> ReencodedPicture:
    """Decode an upload and encode it in every size. Raises ValidationError with a sentence for the merchant."""
    if file.size > PICTURE_BYTES_MAX:
        raise ValidationError(
            _("This file is larger than %(megabytes)d MB."),
            params={"megabytes": PICTURE_BYTES_MAX // (1024 * 1024)},
        )
    file.seek(0)
    content = file.read(PICTURE_BYTES_MAX)
    picture = _decode(content)
    return ReencodedPicture({name: _encode(picture, side) for name, side in SIZES.items()})


def name_in(size: str, page_name: str) -> str:
    """Return the stored name of a picture in another size, from its name in the size of a page."""
    return page_name.replace("-page.", f"-{size}.")


def _is_something_else(content: bytes) -> bool:
    return (
        b"%PDF-" in content[:_PDF_HEAD_BYTES]
        or _SOMETHING_ELSE.search(content) is not None
        or is_zipfile(BytesIO(content))
    )


def _decode(content: bytes) -> Image.Image:
    """Return the picture's pixels, upright and in sRGB, with nothing else."""
    unreadable = ValidationError(_("This file is no PNG, JPEG or WebP picture, or it is damaged."))
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > SCANS_MAX:
        raise unreadable
    try:
        picture = Image.open(BytesIO(content), formats=FORMATS)
        _allow(picture, content)
        return _plain(picture)
    except ValidationError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except Exception:  # every error of a decoder on a hostile file gets one message
        raise unreadable from None


def _allow(picture: Image.Image, content: bytes) -> None:
    """Check the file's header, before a pixel is decoded."""
    if picture.width * picture.height > PIXELS_MAX:
        raise _too_many_pixels()
    if _is_something_else(content):
        raise ValidationError(_("This file is more than a picture. Save it again with a picture editor."))
    # MPO is a telephone's JPEG with another one behind it, such as a gain map: the first is the picture.
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        raise ValidationError(_("This picture moves. Choose one that stands still."))
    if picture.format in {"JPEG", "MPO"}:  # its decoder scales down at less cost; never below the size asked
        picture.draft("RGB", (SIZES["page"], SIZES["page"]))


def _too_many_pixels() -> ValidationError:
    return ValidationError(
        _("This picture has more than %(millions)d million pixels. Make it smaller first."),
        params={"millions": PIXELS_MAX // 1_000_000},
    )


def _plain(picture: Image.Image) -> Image.Image:
    picture.load()
    profile = picture.info.get("icc_profile")
    if picture.mode not in {"RGB", "RGBA", "CMYK"}:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    picture.thumbnail((SIZES["page"], SIZES["page"]), Image.Resampling.LANCZOS)  # first: later steps cost less
    if profile:
        picture = _in_srgb(picture, profile)
    picture = ImageOps.exif_transpose(picture)
    return picture.convert("RGBA" if picture.mode == "RGBA" else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert colours to sRGB; pass over a profile that cannot be read."""
    try:
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        there = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(picture, there, ImageCms.createProfile("sRGB"), outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture


def _encode(picture: Image.Image, side: int) -> bytes:
    """Encode as WebP within a square; a smaller picture keeps its size."""
    smaller = picture.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    clean = Image.new(smaller.mode, smaller.size)  # carries no `info`, so no metadata can come along
    clean.paste(smaller)
    out = BytesIO()
    clean.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()


class ReencodedUpload(ContentFile):
    """An upload that was encoded again: it reads as the picture in the size of a page, and carries the other sizes."""

    def __init__(self, reencoded: ReencodedPicture) -> None:
        super().__init__(reencoded.sizes["page"], name="picture.webp")
        self.reencoded = reencoded


class PictureUpload(forms.FileField):
    """A form field that encodes an upload again, or says why it cannot."""

    widget = forms.ClearableFileInput

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "accept": "image/png,image/jpeg,image/webp"}

    def to_python(self, data: Any) -> Any:
        uploaded = super().to_python(data)
        return None if uploaded is None else ReencodedUpload(reencode(uploaded))


class PictureFile(FieldFile):
    """A stored picture. Its name is that of the page's size; the others lie beside it."""

    def save(self, name: str, content: File, save: bool = True) -> None:
        """Store every size. A file from elsewhere than a form is encoded again first: no other bytes are stored."""
        file = content if isinstance(content, ReencodedUpload) else ReencodedUpload(reencode(content))
        super().save(name, file, save=False)
        for size in SIZES.keys() - {"page"}:
            self.storage.save(name_in(size, self.name or ""), ContentFile(file.reencoded.sizes[size]))
        if save:
            self.instance.save()

    def url_in(self, size: str) -> str:
        """Return the URL path of the picture in one of SIZES."""
        return str(self.storage.url(name_in(size, self.name or "")))


class PictureField(models.FileField):
    """A model field for a picture, kept in SIZES."""

    attr_class = PictureFile

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": PictureUpload, **kwargs})


def picture_name(_product: Any, _name: str) -> str:
    """Return a new name for each upload. The sender's name is not trusted, and browsers cache a picture by its name."""
    return f"pictures/{uuid7()}-page.webp"
