"""A rehearsal: up, down, up, down of every pending file on a scratch copy, measured."""

from runner.review.rehearse.bases import Options
from runner.review.rehearse.rehearsal import rehearse

__all__ = ["Options", "rehearse"]
