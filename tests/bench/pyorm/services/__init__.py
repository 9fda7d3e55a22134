"""The same small service, written three times: what it does, and no more."""
