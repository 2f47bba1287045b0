"""An app for process tests: one handler that stays in hand until it is allowed to finish."""
