"""People at the site: they open accounts, sign in, and type the codes of mails and telephones."""

from collections.abc import Callable
from uuid import uuid4

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.live_site import LiveSite

PASSWORD = "never-guess-a-hamster"


def new_email(name: str = "hermes") -> str:
    return f"{name}-{uuid4().hex[:6]}@olymp.example"


def press(page: Page) -> None:
    """The main button of the page's form."""
    page.locator("main .form .button--primary").click()


def have_account(site: LiveSite, *, superuser: bool = False) -> str:
    """The address of somebody who has an account; made without a page, for whom the way does not matter."""
    email = new_email()
    make = "create_superuser" if superuser else "create_user"
    site.manage(
        "shell",
        "--command",
        "from django.contrib.auth import get_user_model as model;"
        f"model().objects.{make}(email='{email}', password='{PASSWORD}', name='Hermès').trust_email()",
    )
    return email


def sign_in(page: Page, email: str) -> None:
    page.goto(reverse("account_login"))
    page.locator("#id_login").fill(email)
    page.locator("#id_password").fill(PASSWORD)
    press(page)
    page.wait_for_url(lambda url: not url.endswith(reverse("account_login")))


def have_account_and_sign_in(page: Page, site: LiveSite) -> str:
    email = have_account(site)
    sign_in(page, email)
    return email


def fill_in_registration(page: Page, email: str) -> None:
    """Fill in the form that is open; returns where the code is asked for."""
    page.locator("#id_email").fill(email)
    page.locator("#id_name").fill("Hermès")
    page.locator("#id_password1").fill(PASSWORD)
    page.locator("#id_password2").fill(PASSWORD)
    press(page)
    page.wait_for_url("**" + reverse("account_email_verification_sent"))


def ask_for_link(page: Page, email: str) -> None:
    page.goto(reverse("account_reset_password"))
    page.locator("#id_email").fill(email)
    press(page)
    page.wait_for_url("**" + reverse("account_reset_password_done"))


def see_link_sent(page: Page, site: LiveSite) -> None:
    ask_for_link(page, new_email())


def follow_link(page: Page, site: LiveSite) -> None:
    """To where a new password is chosen."""
    email = have_account(site)
    ask_for_link(page, email)
    page.goto(site.mailed(email, r"http\S+/password/forgotten/\S+"))


def show_that_it_is_you(page: Page) -> None:
    page.locator("#id_password").fill(PASSWORD)
    press(page)


def begin_second_factor(page: Page, site: LiveSite) -> str:
    """To where the app is shown its secret; the address of whose it is."""
    email = have_account_and_sign_in(page, site)
    page.goto(reverse("mfa_activate_totp"))
    show_that_it_is_you(page)
    expect(page.locator(".qr")).to_be_visible()
    return email


def have_second_factor(page: Page, site: LiveSite) -> str:
    """Returns where the recovery codes are shown; the address of whose they are."""
    email = begin_second_factor(page, site)
    page.locator("#id_code").fill(shown_code(page.locator(".secret").inner_text()))
    press(page)
    page.wait_for_url("**" + reverse("mfa_view_recovery_codes"))
    return email


def shown_code(secret: str) -> str:
    """What an app on a telephone shows now."""
    from allauth.mfa.totp.internal.auth import (  # only now: it needs Django to be set up
        format_hotp_value,
        hotp_value,
        yield_hotp_counters_from_time,
    )

    _before, now, _after = yield_hotp_counters_from_time()
    return format_hotp_value(hotp_value(secret, now))


# --- pages that are reached by a way ---------------------------------------------------------------------------------


def signed_in(url_name: str) -> Callable[[Page, LiveSite], None]:
    def reach(page: Page, site: LiveSite) -> None:
        have_account_and_sign_in(page, site)
        page.goto(reverse(url_name))

    return reach


def save_address(page: Page, site: LiveSite) -> None:
    have_account_and_sign_in(page, site)
    page.goto(reverse("accounts:add_address"))
    answers = {"recipient": "Hermès", "street": "2 rue des Dieux", "postal_code": "69002", "city": "Lyon"}
    for field, answer in answers.items():
        page.locator(f"#id_{field}").fill(answer)
    press(page)
    page.wait_for_url("**" + reverse("accounts:account"))


def change_address(page: Page, site: LiveSite) -> None:
    save_address(page, site)
    page.locator(".line__act a").click()
    page.wait_for_url("**/addresses/*/")


def refuse_sign_in(page: Page, site: LiveSite) -> None:
    page.goto(reverse("account_login"))
    page.locator("#id_login").fill("nobody@olymp.example")
    page.locator("#id_password").fill("wrong")
    press(page)
    expect(page.locator(".errorlist")).to_be_visible()


def guess_too_often(page: Page, site: LiveSite) -> None:
    email = new_email()
    page.goto(reverse("account_login"))
    while page.locator("#id_login").count():
        page.locator("#id_login").fill(email)
        page.locator("#id_password").fill("wrong")
        press(page)
        page.wait_for_load_state()


def register(page: Page, site: LiveSite) -> None:
    page.goto(reverse("account_signup"))
    fill_in_registration(page, new_email())


def be_asked_who_one_is(page: Page, site: LiveSite) -> None:
    have_account_and_sign_in(page, site)
    page.goto(reverse("mfa_activate_totp"))
    page.wait_for_url("**" + reverse("account_reauthenticate") + "*")


def with_second_factor(url_name: str) -> Callable[[Page, LiveSite], None]:
    def reach(page: Page, site: LiveSite) -> None:
        have_second_factor(page, site)
        page.goto(reverse(url_name))

    return reach


def be_asked_for_code(page: Page, site: LiveSite) -> None:
    email = have_second_factor(page, site)
    page.goto(reverse("account_logout"))
    press(page)
    sign_in(page, email)
