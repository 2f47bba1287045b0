"""The bus over Apache Kafka, for many processes. Only this package imports confluent_kafka."""
