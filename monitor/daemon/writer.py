"""What is scored becomes rows, in few transactions."""

from __future__ import annotations

from typing import Final

STORED_TOGETHER: Final = 1024
"""With so many crops, at least, a transaction is closed."""
FIRST_COMMIT_PAUSE_SECONDS: Final = 1.0
LONGEST_COMMIT_PAUSE_SECONDS: Final = 10.0
