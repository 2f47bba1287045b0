"""The pages of riders' alerts, and how a rider comes to see them."""

import re

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser import actors
from tests.browser.page_states import CONTRACT, Scene
from tests.live_site import LiveSite

KEY_OF_LAST = """
from stations.alerts.mail import stop_key
from stations.models import Alert
print(stop_key(Alert.objects.latest("id").id))
"""


def see_station(page: Page, site: LiveSite) -> None:
    """Sign in, and open the page of a station."""
    actors.have_account_and_sign_in(page, site)
    page.goto(reverse("stations:dashboard") + f"?contract={CONTRACT}")
    address = page.locator("#stations tbody a").first.get_attribute("href")
    page.goto(str(address))


def ask_to_be_told(page: Page, site: LiveSite) -> None:
    """Ask by the form of the station's page."""
    see_station(page, site)
    page.locator("#alert_threshold").fill("5")
    page.locator("form[action*='/alerts/new/'] button").click()
    page.wait_for_url(f"**{reverse('stations:alerts')}")
    expect(page.locator(".lines .line")).to_have_count(1)


def see_new_alert(page: Page, site: LiveSite) -> None:
    see_station(page, site)
    page.locator("a[href*='/alerts/new/']").click()
    page.wait_for_url("**/alerts/new/**")


def see_alert(page: Page, site: LiveSite) -> None:
    ask_to_be_told(page, site)
    page.locator(".line__act a").click()
    page.wait_for_url(re.compile("/alerts/[-0-9a-f]{36}/$"))


def see_stop(page: Page, site: LiveSite) -> None:
    ask_to_be_told(page, site)
    key = site.manage("shell", "--verbosity", "0", "--command", KEY_OF_LAST).strip()
    page.goto(reverse("stations:stop_alert", args=[key]))


ALERT_SCENES = [
    Scene("alerts-none", "stations:alerts", actors.signed_in("stations:alerts")),
    Scene("alerts", "stations:alerts", ask_to_be_told),
    Scene("alerts-station", "stations:station", see_station),
    Scene("alerts-new", "stations:new_alert", see_new_alert),
    Scene("alerts-change", "stations:alert", see_alert),
    Scene("alerts-stop", "stations:stop_alert", see_stop),
]
