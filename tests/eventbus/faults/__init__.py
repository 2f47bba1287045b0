"""Lies that the bus might tell, and the cases of its contract that catch them: a module of faults per module of cases.

`python -m tests.eventbus.faults` plants each and prints the table; `--all` tries every case under every fault.
"""

from importlib import import_module
from pkgutil import iter_modules

from tests.eventbus.faults.planting import Fault

MACHINERY = {"__main__", "planting", "session"}
FAULTS: list[Fault] = [
    fault
    for module in iter_modules(__path__)
    if module.name not in MACHINERY
    for fault in import_module(f"{__name__}.{module.name}").FAULTS
]
NO_FAULT = Fault("no fault", "eventbus.clock.now", "return", "return", fails=[])  # no case may catch it
