"""A bounded queue whose reader takes all waiting items at once; the standard library's wakes a thread for each."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class BatchQueue(Generic[Item]):
    """Holds at most ``size`` items between two threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = Condition()

    def put(self, item: Item, timeout: float) -> bool:
        """Add an item; false when there was no space for ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._items) < self._size, timeout):
                return False
            self._items.append(item)
            if len(self._items) == 1:
                self._changed.notify_all()
        return True

    def take(self, most: int) -> list[Item]:
        """Wait for an item, then take all that are waiting, up to ``most``."""
        with self._changed:
            self._changed.wait_for(lambda: self._items)
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self._changed.notify_all()
        return taken

    def qsize(self) -> int:
        """How many items are waiting."""
        return len(self._items)
