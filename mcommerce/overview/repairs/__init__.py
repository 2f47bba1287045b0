"""The pages on which staff act: dead letters by cause, bulk runs, replays, skips, circuit breakers, the audit trail."""
