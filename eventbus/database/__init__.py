"""Access to the database: raw statements, retry on contention, leases, units of work, and SQLite's fair lock."""
