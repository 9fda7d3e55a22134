"""Everything at once: clients of both contracts, every phase in turns, and a nemesis."""
