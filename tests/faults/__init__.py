"""Faults: runs that are killed, cut off or hindered, and the runs that go on after them."""
