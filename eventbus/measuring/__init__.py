"""Count the work of all processes for Prometheus, so that a killed process's counts remain."""
