"""A bounded queue whose reader takes all that waits at once; that of the standard library wakes somebody for each."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class BatchQueue(Generic[Item]):
    """Holds at most so many items between two threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = Condition()

    def put(self, item: Item, timeout: float) -> bool:
        """Add an item; false when there was no space for so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._items) < self._size, timeout):
                return False
            self._items.append(item)
            if len(self._items) == 1:
                self._changed.notify_all()
        return True

    def take(self, most: int) -> list[Item]:
        """Wait for an item, and take all that are there, but no more than ``most``."""
        with self._changed:
            self._changed.wait_for(lambda: self._items)
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._changed.notify_all()
        return taken

    def qsize(self) -> int:
        """How many items wait."""
        return len(self._items)
