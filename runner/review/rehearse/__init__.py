"""A rehearsal: up, down, up, down of every pending file on a scratch copy, measured."""

from runner.review.rehearse.rehearsal import Options, rehearse

__all__ = ["Options", "rehearse"]
