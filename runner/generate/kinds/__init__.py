"""Each kind of database object: what changes, what stands in the way, its statements.

Each answers the same questions in the same order, those that concern it: `change`, `obstacles`,
then `expand`, `enforce`, `contract`, `window`.
"""
