"""Takes a picture of every page in every dress: wide and narrow, by day and by night, in English and in French.

    python -m tests.browser.screenshots [--out screenshots] [--only NAME ...]

NAME is the beginning of a scene's name (see scenes.py). It starts a site of its own in a temporary folder.
"""

import argparse
import os
import sys
import tempfile
from itertools import product
from pathlib import Path

import django
from playwright.sync_api import Browser, sync_playwright

from tests.browser.admin_pages import DESK_SCENES
from tests.browser.alert_pages import ALERT_SCENES
from tests.browser.bus_admin_pages import BUS_SCENES
from tests.browser.chromium import CHROMIUM, CHROMIUM_OPTIONS
from tests.browser.operator_pages import OPERATOR_SCENES
from tests.browser.page_states import SCENES, Scene
from tests.browser.plugin import WAIT_MS
from tests.live_site import LiveSite, running_site

LANGUAGES = {"en": "en-GB", "fr": "fr-FR"}
WINDOWS = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 360, "height": 740}}
SCHEMES = ("light", "dark")
# A picture shows the whole page, so also images that wait for being scrolled to.
LOAD_IMAGES = """() => Promise.all([...document.images].map((image) => {
    image.loading = "eager";
    return image.decode().catch(() => {});
}))"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of scenes' names")
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    django.setup()  # the scenes know their pages by URL name
    options.out.mkdir(parents=True, exist_ok=True)
    every = [*SCENES, *ALERT_SCENES, *OPERATOR_SCENES, *DESK_SCENES, *BUS_SCENES]
    scenes = [scene for scene in every if scene.name.startswith(tuple(options.only))]
    failed = []
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running_site(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        for scene, language in product(scenes, LANGUAGES):
            try:
                picture(browser, site, scene, language, options.out)
            except Exception as error:  # one page that cannot be reached must not cost the pictures of the others
                failed.append(f"{scene.name} ({language}): {error}")
        browser.close()
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


def picture(browser: Browser, site: LiveSite, scene: Scene, language: str, out: Path) -> None:
    """Reach the scene once, then change its clothes."""
    context = browser.new_context(base_url=site.url, locale=LANGUAGES[language], timezone_id="Europe/Paris")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    try:
        scene.reach(page, site)
        page.evaluate(LOAD_IMAGES)
        for (width, window), scheme in product(WINDOWS.items(), SCHEMES):
            page.set_viewport_size(window)
            page.emulate_media(color_scheme=scheme)
            # The change sets off the buttons' colour transitions: shown finished, not half-way between two schemes.
            file = out / f"{scene.name}-{language}-{width}-{scheme}.png"
            page.screenshot(path=file, full_page=True, animations="disabled")
    finally:
        context.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
