"""What a DBA sees before, instead of guessing: plan, rehearsal, lint, report."""
