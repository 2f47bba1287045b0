"""What would blame an event for the world."""

from tests.eventbus.faults.planting import Fault

FAULTS: list[Fault] = []
