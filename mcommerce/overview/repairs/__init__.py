"""The pages on which staff act on failures: dead letters by cause, bulk runs, circuit breakers, the audit trail."""
