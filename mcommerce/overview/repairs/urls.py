"""The addresses of the pages on which staff act on failures."""

from django.urls import path

from mcommerce.overview.repairs import runs
from mcommerce.overview.repairs.actions import actions
from mcommerce.overview.repairs.breakers import breakers, close
from mcommerce.overview.repairs.failures import failure, failures, select

urlpatterns = [
    path("failures/", failures, name="bus-failures"),
    path("failures/<slug:cause>/", failure, name="bus-failure"),
    path("failures/<slug:cause>/select/", select, name="bus-select"),
    path("runs/<int:run>/", runs.run, name="bus-run"),
    path("runs/<int:run>/begin/", runs.begin, name="bus-begin-run"),
    path("runs/<int:run>/undo/", runs.undo, name="bus-undo-run"),
    path("runs/<int:run>/letters.jsonl", runs.download, name="bus-export"),
    path("actions/", actions, name="bus-actions"),
    path("breakers/", breakers, name="bus-breakers"),
    path("breakers/close/", close, name="bus-close-breaker"),
]
