"""What a real schema holds comes through unharmed: a kind of object a file."""
