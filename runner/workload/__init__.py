"""The workload: the statements that clients really send, tried against both contracts."""

from runner.workload.command import sent_by_clients, try_workload
from runner.workload.model import Refusal, Sent, Stage, Workload

__all__ = ["Refusal", "Sent", "Stage", "Workload", "sent_by_clients", "try_workload"]
