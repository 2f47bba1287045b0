"""A record whose header's name is no text: Python's client sends none, others do, so the library under it is called."""

import ctypes

from confluent_kafka import cimpl

PRODUCER = 0  # what follows stands in librdkafka's rdkafka.h
END, TOPIC, PARTITION, VALUE, KEY, FLAGS, HEADER = 0, 1, 3, 4, 5, 7, 9
COPY = 2  # the library keeps copies of its own
FLUSH_MS = 30_000
ERROR_BYTES = 512


def append_with_header(servers: str, topic: str, *, key: bytes, value: bytes, name: bytes, text: bytes) -> None:
    """Into partition 0. Returns once the broker has it."""
    library = ctypes.CDLL(cimpl.__file__)  # which has it linked
    library.rd_kafka_conf_new.restype = library.rd_kafka_new.restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(ERROR_BYTES)
    settings = ctypes.c_void_p(library.rd_kafka_conf_new())
    size = ctypes.c_size_t(ERROR_BYTES)
    assert library.rd_kafka_conf_set(settings, b"bootstrap.servers", servers.encode(), error, size) == 0, error.value
    producer = ctypes.c_void_p(library.rd_kafka_new(PRODUCER, settings, error, size))
    assert producer, error.value
    try:
        told = [
            *(TOPIC, topic.encode(), PARTITION, 0, FLAGS, COPY),
            *(KEY, key, ctypes.c_size_t(len(key)), VALUE, value, ctypes.c_size_t(len(value))),
            *(HEADER, name, text, ctypes.c_ssize_t(len(text)), END),
        ]
        assert library.rd_kafka_producev(producer, *told) == 0, "not taken"
        assert library.rd_kafka_flush(producer, FLUSH_MS) == 0, "no acknowledgement"
    finally:
        library.rd_kafka_destroy(producer)
