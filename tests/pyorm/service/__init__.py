"""A small service on pyorm, driven over HTTP through a whole migration."""
