"""The workload: the statements that clients really send, tried against both contracts."""

from runner.workload.command import try_workload
from runner.workload.model import Refusal, Sent, Stage, Workload

__all__ = ["Refusal", "Sent", "Stage", "Workload", "try_workload"]
