"""The architecture of runner and pyorm: who may import whom, read from the code and drawn.

`make architecture` writes docs/architecture.svg.
"""
