"""A real Apache Kafka of one's own, for tests (`temporary_broker`) and for development (`make kafka`)."""

from tests.kafka.cluster import Broker, Cluster, stoppable_brokers, temporary_broker
from tests.kafka.jars import KafkaMissing

__all__ = ["Broker", "Cluster", "KafkaMissing", "stoppable_brokers", "temporary_broker"]
