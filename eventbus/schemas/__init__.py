"""Describe the data of the declared events for programs in other languages, as JSON Schema."""
