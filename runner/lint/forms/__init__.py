"""Forms of a report that other programs read, a module each."""
