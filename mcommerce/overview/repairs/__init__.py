"""The pages on which staff act: dead letters, bulk runs, replays, skips, circuit breakers, log levels, audit trail."""
