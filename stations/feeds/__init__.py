"""Readers of station feeds: HTTP, formats, validation, and the feeds in use."""
