"""The addresses of the pages on which staff act."""

from django.urls import path

from mcommerce.overview.repairs import runs
from mcommerce.overview.repairs.actions import actions
from mcommerce.overview.repairs.breakers import breakers, close
from mcommerce.overview.repairs.failures import failure, failures, select
from mcommerce.overview.repairs.log_levels import end_log_level, set_log_level
from mcommerce.overview.repairs.replays import choose_replay, operate_replay, replay
from mcommerce.overview.repairs.skips import choose_skip

urlpatterns = [
    path("failures/", failures, name="bus-failures"),
    path("failures/<slug:cause>/", failure, name="bus-failure"),
    path("failures/<slug:cause>/select/", select, name="bus-select"),
    path("runs/<int:run>/", runs.run, name="bus-run"),
    path("runs/<int:run>/begin/", runs.begin, name="bus-begin-run"),
    path("runs/<int:run>/undo/", runs.undo, name="bus-undo-run"),
    path("runs/<int:run>/letters.jsonl", runs.download, name="bus-export"),
    path("groups/<str:projection>/replay/", choose_replay, name="bus-choose-replay"),
    path("groups/<str:projection>/skip/", choose_skip, name="bus-choose-skip"),
    path("replays/<int:replay>/", replay, name="bus-replay"),
    path("replays/<int:replay>/<slug:step>/", operate_replay, name="bus-operate-replay"),
    path("processes/log-level/", set_log_level, name="bus-log-level"),
    path("processes/log-level/<int:log_level>/end/", end_log_level, name="bus-end-log-level"),
    path("actions/", actions, name="bus-actions"),
    path("breakers/", breakers, name="bus-breakers"),
    path("breakers/close/", close, name="bus-close-breaker"),
]
