"""The rules: one a file, each with its reason and its examples. The engine finds them by itself."""
