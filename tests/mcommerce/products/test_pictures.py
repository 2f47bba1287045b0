"""What becomes of a picture that somebody uploads at the desk, whatever it is."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from PIL import Image, ImageCms, PngImagePlugin
from pytest_django import Settings

from eventbus.testing import published_events
from mcommerce.events import ProductPublished
from mcommerce.products import pictures
from mcommerce.products.models import Product
from mcommerce.products.services import catalogue
from tests.mcommerce.products.conftest import NOW, put_on_shelf

Filled = Callable[..., dict[str, Any]]
ADD = "/admin/products/product/add/"
WHERE_IT_WAS_TAKEN = 0x8825  # EXIF's tag of the GPS block
ORIENTATION = 0x0112
UPSIDE_DOWN = 3


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def drawn(kind: str = "PNG", *, size: tuple[int, int] = (1600, 900), mode: str = "RGB", **how: Any) -> bytes:
    """A picture: red above, black below."""
    picture = Image.new(mode, size)
    if mode == "RGB":
        picture.paste((200, 0, 0), (0, 0, size[0], size[1] // 2))
    out = BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def moving(kind: str) -> bytes:
    others = [Image.new("RGB", (64, 64), color) for color in ("red", "green")]
    return drawn(kind, size=(64, 64), save_all=True, append_images=others)


def photograph() -> bytes:
    """Taken in Lyon with the telephone upside down."""
    exif = Image.Exif()
    exif[ORIENTATION] = UPSIDE_DOWN
    exif.get_ifd(WHERE_IT_WAS_TAKEN).update({1: "N", 2: (45.0, 45.0, 51.0), 3: "E", 4: (4.0, 50.0, 3.0)})
    return drawn("JPEG", exif=exif, comment=b"taken at home")


def with_a_zip() -> bytes:
    archive = BytesIO()
    with ZipFile(archive, "w") as file:
        file.writestr("setup.exe", "MZ")
    return drawn("JPEG") + archive.getvalue()


def with_text(text: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text)
    return drawn(pnginfo=info)


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header says that it is so large; its first chunk is 13 bytes after its name, then their checksum."""
    picture = drawn(size=(8, 8))
    header = b"IHDR" + struct.pack(">II", width, height) + picture[24:29]
    return picture[:12] + header + struct.pack(">I", zlib.crc32(header)) + picture[33:]


def with_scans(how_many: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each costs a walk over the whole picture."""
    picture = drawn("JPEG", progressive=True)
    last = picture.rindex(b"\xff\xda")
    return picture[:last] + picture[last:-2] * how_many + picture[-2:]


def upload(desk: Client, form: dict[str, Any], content: bytes, name: str = "photo.png") -> Any:
    return desk.post(ADD, form | {"picture": SimpleUploadedFile(name, content)})


def refusal(answer: Any) -> str:
    return " ".join(answer.context["adminform"].form.errors["picture"])


def look_at(content: bytes) -> Image.Image:
    picture = Image.open(BytesIO(content))
    picture.load()
    return picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_drawn_anew_in_the_sizes_that_pages_show(desk: Client, write_down: Filled, kind: str) -> None:
    upload(desk, write_down(), drawn(kind), "../evil.html")

    product = Product.objects.get()
    shown = {size: desk.get(product.image_url_in(size)) for size in pictures.SIZES}
    assert {size: look_at(answer.content).size for size, answer in shown.items()} == {
        "page": (1280, 720),
        "card": (640, 360),
        "cart": (160, 90),
    }
    for answer in shown.values():
        assert answer["Content-Type"] == "image/webp"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
    assert f'src="{product.card_image_url}"' in desk.get("/").content.decode()
    assert f'src="{product.image_url}"' in desk.get(product.get_absolute_url()).content.decode()
    told = published_events(ProductPublished)[0]
    assert (told.image, told.thumbnail) == (product.image_url, product.cart_image_url)
    assert (told.image.endswith("-page.webp"), told.thumbnail.endswith("-cart.webp")) == (True, True)

    desk.post(f"/admin/products/product/{product.id}/change/", write_down(product, **{"picture-clear": "on"}))
    assert Product.objects.get().image_url == ""
    assert desk.get(f"/media/pictures/{uuid4()}-page.webp").status_code == 404


def test_nothing_tells_where_a_photograph_was_taken_and_it_is_shown_upright(desk: Client, write_down: Filled) -> None:
    upload(desk, write_down(), photograph(), "home.jpg")

    for size in pictures.SIZES:
        kept = desk.get(Product.objects.get().image_url_in(size)).content
        assert not look_at(kept).getexif()
        assert not any(sign in kept for sign in (b"EXIF", b"Exif", b"XMP", b"taken at home"))
        shown = look_at(kept)
        above, below = shown.getpixel((10, 10)), shown.getpixel((10, shown.height - 10))
        assert above[0] < 50 < 150 < below[0]


@pytest.mark.parametrize(
    ("content", "size"),
    [
        *((drawn(mode=mode), (1280, 720)) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")),
        (drawn("JPEG", mode="CMYK"), (1280, 720)),  # for printing
        (drawn("MPO", save_all=True, append_images=[Image.new("RGB", (100, 100))]), (1280, 720)),  # a telephone's two
        (drawn(size=(90, 30)), (90, 30)),  # a small one stays as small as it is
    ],
    ids=["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "MPO", "small"],
)
def test_a_picture_of_any_kind_can_be_shown(content: bytes, size: tuple[int, int]) -> None:
    shown = look_at(pictures.reencode(ContentFile(content)).sizes["page"])

    assert (shown.size, shown.mode in ("RGB", "RGBA")) == (size, True)


@pytest.mark.parametrize("profile", [b"broken", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()])
def test_what_is_transparent_stays_so_whatever_its_colours_are_said_to_be(profile: bytes) -> None:
    kept = look_at(pictures.reencode(ContentFile(drawn(mode="RGBA", icc_profile=profile))).sizes["page"])

    assert kept.getpixel((0, 0))[3] == 0
    assert "icc_profile" not in kept.info


SENTENCES = {
    "no PNG, JPEG or WebP": {
        "a drawing, which may hold a script": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        "two dozen comments and more": b"<?xml version='1.0'?>" + b"<!---->" * 40 + b"<x>",
        "a GIF": drawn("GIF", size=(8, 8)),
        "a TIFF": drawn("TIFF", size=(8, 8)),
        "a program": b"MZ\x90\x00",
        "nothing but the first bytes": b"\x89PNG\r\n\x1a\n....",
        "half a picture": drawn("JPEG")[:-900],
        "scans without end": with_scans(600),
    },
    "more than a picture": {
        "a picture and an archive": with_a_zip(),
        "a picture and a page": with_text("<html><body onload=alert(1)>"),
        "a picture and a script": with_text("<SCRIPT>alert(1)</SCRIPT>"),
        "a picture and a program for the server": drawn("JPEG", comment=b"<?php system($_GET[0]); ?>"),
        "a picture and a document": drawn("JPEG", comment=b"%PDF-1.7"),
    },
    "million pixels": {
        "30,000 by 30,000": claiming(30_000, 30_000),
        "a little over the limit": claiming(6_300, 4_000),
    },
    "moves": {"a moving WebP": moving("WEBP"), "a moving PNG": moving("PNG")},
    "larger than 5 MB": {"a file that is too large": drawn() + b" " * pictures.PICTURE_BYTES_MAX},
}
REFUSED = [
    pytest.param(sentence, content, id=name) for sentence, files in SENTENCES.items() for name, content in files.items()
]


@pytest.mark.parametrize(("sentence", "content"), REFUSED)
def test_what_is_no_picture_to_show_is_refused_with_a_sentence(
    desk: Client, write_down: Filled, tmp_path: Path, sentence: str, content: bytes
) -> None:
    answer = upload(desk, write_down(), content)

    assert sentence in refusal(answer)
    assert not Product.objects.exists()
    assert not any(tmp_path.iterdir())


def test_a_moving_picture_that_says_it_is_huge_is_refused_before_it_is_decoded(
    desk: Client, write_down: Filled
) -> None:
    bomb = bytearray(moving("WEBP"))
    canvas = bomb.index(b"VP8X") + 12  # two numbers of three bytes, one less than width and height
    bomb[canvas : canvas + 6] = 2 * (16_382).to_bytes(3, "little")

    assert "million pixels" in refusal(upload(desk, write_down(), bytes(bomb)))


def test_what_comes_by_no_form_is_drawn_anew_or_refused_as_well(db: None, tmp_path: Path) -> None:
    product = put_on_shelf("Vase")
    product.picture = ContentFile(moving("WEBP"), name="vase.jpg")
    with pytest.raises(ValidationError) as refused:
        catalogue.save_product(product=product, now=NOW)
    with translation.override("fr"):
        assert refused.value.messages == ["Cette image est animée. Choisissez une image fixe."]
    assert not any(tmp_path.iterdir())

    product = Product.objects.get()
    product.picture = ContentFile(photograph(), name="vase.jpg")
    catalogue.save_product(product=product, now=NOW)

    with product.picture.open() as kept:
        assert not look_at(kept.read()).getexif()


def test_a_good_picture_beside_a_bad_price_is_asked_for_again(desk: Client, write_down: Filled, tmp_path: Path) -> None:
    answer = upload(desk, write_down(price="free"), drawn())

    assert list(answer.context["adminform"].form.errors) == ["price"]
    assert not any(tmp_path.iterdir())
