"""A live database or a dump -> a standard.toml that `trueup generate` takes as it is."""
