"""Trace requests and events as spans of OpenTelemetry. While it is off, each call site costs one comparison."""
