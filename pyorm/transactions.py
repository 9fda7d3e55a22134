"""Several calls in one transaction, for sync and for async code."""

from pyorm.transaction import in_transaction
from pyorm.transaction_async import in_transaction_async

__all__ = ["in_transaction", "in_transaction_async"]
