"""What has been applied, by whom, with which content: files, records and the lock."""
