from __future__ import annotations

from tests.monitor.inbox.conftest import MakeInbox, decided_inbox

__all__ = ["MakeInbox", "decided_inbox"]
