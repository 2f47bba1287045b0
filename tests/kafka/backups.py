"""Copies of a broker's disk, and their restore: real ones, of all that it keeps."""

import shutil
from pathlib import Path

from tests.kafka.cluster import Broker


def back_up_broker(broker: Broker, folder: Path) -> None:
    """Copy what it keeps, between an orderly stop and a start."""
    broker.stop()
    shutil.copytree(broker.data, folder)
    broker.start()


def restore_broker(broker: Broker, folder: Path) -> None:
    """It keeps what it kept then, under the same ids, and has forgotten all since."""
    broker.stop()
    shutil.rmtree(broker.data)
    shutil.copytree(folder, broker.data)
    broker.start()
