"""Headers on every answer: a page, a static file, an error, a refused socket.

Django's middleware handles only Django's own pages. So ASGI and WSGI servers get a wrapper that adds missing headers.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]
Application = Callable[..., Any]

# Features of browsers that no page uses: code injected into a page cannot use them either. A view that needs one allows
# it in its own header ("geolocation=(self)"), and the middleware adds the others.
UNUSED = [
    "accelerometer",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
]
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED),
}
SAME_IN_ALL_LANGUAGES = "same_in_all_languages"  # a view puts it on its answer, as stations/all_languages.py does
REFUSED = 403  # a socket that is closed before it was open


def on_pages(get_response: Answer) -> Answer:
    """Return middleware for Django's own answers."""

    def middleware(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        for name, value in ALWAYS.items():
            answer.headers.setdefault(name, value)
        if getattr(answer, SAME_IN_ALL_LANGUAGES, False):
            _drop_the_language(answer)
        answer.headers["Permissions-Policy"] = _with_the_unused(answer.headers["Permissions-Policy"])
        return answer

    return middleware


def _drop_the_language(answer: HttpResponse) -> None:
    """Remove what LocaleMiddleware adds to every answer, so that shared caches keep this one once for all readers."""
    varies = [name.strip() for name in answer.headers.get("Vary", "").split(",")]
    rest = [name for name in varies if name and name.casefold() != "accept-language"]
    del answer.headers["Vary"], answer.headers["Content-Language"]
    if rest:
        answer.headers["Vary"] = ", ".join(rest)


def _with_the_unused(policy: str) -> str:
    """Return a page's policy with each unused feature that it does not name."""
    told = [part.strip() for part in policy.split(",")]
    named = {part.partition("=")[0] for part in told}
    return ", ".join([*told, *(f"{feature}=()" for feature in UNUSED if feature not in named)])


def by_wsgi(application: Application) -> Application:
    """Return a WSGI application that adds the headers in ALWAYS to all answers."""

    def answering(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            there = {name.lower() for name, _ in headers}
            return start_response(
                status, headers + [one for one in ALWAYS.items() if one[0].lower() not in there], *error
            )

        found: Iterable[bytes] = application(environ, start)
        return found

    return answering


def by_asgi(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return an ASGI application that adds the headers in ALWAYS to all answers, also to sockets."""

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await application(scope, receive, _Answering(send).send_http)
        elif scope["type"] == "websocket":
            can_say_why = "websocket.http.response" in scope.get("extensions", {})
            await application(scope, receive, _Answering(send, can_say_why).send_socket)
        else:
            await application(scope, receive, send)

    return answering


class _Answering:
    """The state of one answer while it is sent."""

    def __init__(self, send: Callable[[Any], Awaitable[None]], can_say_why: bool = False) -> None:
        self.real_send, self._can_say_why = (
            send,
            can_say_why,
        )  # named as in Channels' own
        self._open = False

    async def send_http(self, message: Any) -> None:
        await self.real_send(_with_headers(message) if message["type"] == "http.response.start" else message)

    async def send_socket(self, message: Any) -> None:
        """Send a message. A frame of an open socket is passed on unchanged and at once, since there are many."""
        if self._open:
            await self.real_send(message)
        elif message["type"] in ("websocket.accept", "websocket.http.response.start"):
            self._open = message["type"] == "websocket.accept"
            await self.real_send(_with_headers(message))
        elif message["type"] == "websocket.close" and self._can_say_why:  # the server's own answer has no headers
            await self.real_send(
                _with_headers({"type": "websocket.http.response.start", "status": REFUSED, "headers": []})
            )
            await self.real_send({"type": "websocket.http.response.body", "body": b""})
        else:
            await self.real_send(message)


def _with_headers(message: Any) -> Any:
    headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
    there = {name.lower() for name, _ in headers}
    added = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
    return {**message, "headers": headers + [one for one in added if one[0] not in there]}
