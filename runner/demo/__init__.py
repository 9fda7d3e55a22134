"""The demo: a live service is brought to the standard, back, and there again."""
