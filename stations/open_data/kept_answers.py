"""The REST answers of the last second, by question: many callers who ask the same cost one."""

from collections import OrderedDict
from collections.abc import Callable
from copy import copy
from functools import wraps
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse

from stations.open_data.answers import Body, answer, body_of
from stations.open_data.kept_systems import Kept

ANSWERS_MAX = 64  # questions; a page of 500 stations has some 250 kB, so 20 MB at most

_lock = Lock()
_answers: OrderedDict[str, Kept[Body]] = OrderedDict()


class _NotKept(Exception):
    """The view answered with something else than 200. Holds that answer."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


def kept_shortly(view: Callable[..., HttpResponse], *, max_age_seconds: int) -> Callable[..., HttpResponse]:
    """Return the view with conditional and compressed answers, each made at most once a second in this process."""

    @wraps(view, updated=())
    def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = copy(request)
        asked.method = "GET"  # for HEAD too: the API knows no other method, and the server leaves the body out

        def made(before: Body | None) -> Body:
            response = view(asked, *args, **kwargs)
            if response.status_code != 200:
                raise _NotKept(response)
            return body_of(response.content, changed_at=None, max_age_seconds=max_age_seconds)

        try:
            return answer(request, _kept(request.build_absolute_uri()).get(made))
        except _NotKept as other:
            return other.response

    return answering


def forget() -> None:
    """Forget all answers. For tests."""
    _answers.clear()


def _kept(question: str) -> Kept[Body]:
    with _lock:
        found = _answers.setdefault(question, Kept())
        _answers.move_to_end(question)
        while len(_answers) > ANSWERS_MAX:
            _answers.popitem(last=False)
    return found
