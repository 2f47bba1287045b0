"""What must never happen in a page, whoever looks: errors in the console, refused or foreign requests."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

OWN_SCHEMES = {"data", "blob", "about"}  # never leave the browser
LEFT_BY_THE_PAGE = "net::ERR_ABORTED"  # the page was left while it loaded: nobody's fault
REPORT_CSP_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (violation) => {
  console.error(`CSP: ${violation.effectiveDirective} refused ${violation.blockedURI} ${violation.sample}`);
});
"""


class Faults:
    """Collects the faults of all windows of a test.

    `allow(pattern)` before or after the fact excuses faults whose text the regular expression is found in.
    """

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        self._allowed.append(re.compile(pattern))

    def watch(self, context: BrowserContext, own_origins: Sequence[str]) -> None:
        """Note what goes wrong in the context's pages, and every request to an origin that is not among ours."""
        own_hosts = {urlsplit(origin).netloc for origin in own_origins}
        context.add_init_script(REPORT_CSP_VIOLATIONS)
        context.on("console", self._hear_console)
        context.on("weberror", self._hear_error)
        context.on("requestfailed", self._hear_failed_request)
        context.on("request", lambda request: self._hear_request(request, own_hosts))

    def found(self) -> list[str]:
        """The faults seen so far that nobody allowed."""
        return [fault for fault in self._seen if not any(pattern.search(fault) for pattern in self._allowed)]

    def check(self) -> None:
        """Fail when there are any."""
        assert not self.found(), "Faults in the browser:\n" + "\n".join(self.found())

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._seen.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _hear_error(self, error: WebError) -> None:
        self._seen.append(f"script: {error.error}")

    def _hear_failed_request(self, request: Request) -> None:
        if request.failure != LEFT_BY_THE_PAGE:
            self._seen.append(f"request failed: {request.url} {request.failure}")

    def _hear_request(self, request: Request, own_hosts: set[str]) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in OWN_SCHEMES and parts.netloc not in own_hosts:
            self._seen.append(f"foreign request: {request.url}")
