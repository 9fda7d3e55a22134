"""The engine that runs migrations: lock, retries, records, progress, resume."""
