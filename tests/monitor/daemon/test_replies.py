"""What the watchers are told of files, and what follows for those that come under the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.configuration.file import load
from monitor.configuration.settings import Watch
from monitor.crops.reader import Reader
from monitor.daemon.replies import Replies
from monitor.inbox.ledger import Ledger
from monitor.inbox.messages import Done
from monitor.scoring.ensemble import Ensemble
from monitor.scoring.pipeline import score
from monitor.scoring.record import Committed
from tests.support.batches import model

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from monitor.inbox.messages import Incomplete


def test_a_file_that_comes_while_the_batch_waits_in_which_it_had_vanished_is_not_taken_for_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a camera removes a file and writes another one of the same name, and the database is locked."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "1.jpg"
    ledger = Ledger(Watch())
    ledger.offer(str(path), 0.0)
    batch = score(Reader(load()).read([path]), Ensemble((model(1),), "primary"))
    assert batch.refusals[0].reason == "vanished"
    path.write_bytes(b"another one")
    told: list[Done | Incomplete] = []
    Replies(told.append, told.append).committed(Committed(batch, {}, (), 5.0, {}))
    assert told == [Done(str(path), None)]
    ledger.finish(told[0].path, told[0].looks)
    assert not ledger.is_known(str(path))
