"""What a DBA sees before a migration runs: plan, rehearsal, lint and report."""
