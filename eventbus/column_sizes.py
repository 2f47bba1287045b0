"""The size limits of columns in the bus's tables."""

GROUP_CHARACTERS_MAX = 60
TOPIC_CHARACTERS_MAX = 60
TYPE_CHARACTERS_MAX = 120
SOURCE_CHARACTERS_MAX = 200
HOST_CHARACTERS_MAX = 255  # DNS allows no more
HANDLER_CHARACTERS_MAX = 200  # a module, and a function of it
CODE_LINE_CHARACTERS_MAX = 250  # a module, a function of it, and a line
CAUSE_CHARACTERS = 32  # a fingerprint of 128 bits in hexadecimal digits
WHO_CHARACTERS_MAX = 200  # an operator's name and where it was typed
NUMBER_MAX = 2**63 - 1  # the largest id of a row; a record's `sequence` is the id of its outbox row
