from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitor.errors import ConfigurationError, InputMissingError
from monitor.files.certificates import server_context
from tests.support.certificates import new_certificate

if TYPE_CHECKING:
    from pathlib import Path


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path, starts_processes: None) -> None:
    own, key = new_certificate(tmp_path, "own")
    _, foreign = new_certificate(tmp_path, "foreign")
    _, locked = new_certificate(tmp_path, "locked", "-passout", "pass:geheim")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_bytes(b"\xff\x00 no certificate")
    missing = tmp_path / "missing.pem"
    with pytest.raises(InputMissingError, match=rf"metrics\.certificate {missing}: cannot be read: No such file"):
        server_context(missing, key, "metrics")
    with pytest.raises(InputMissingError, match=rf"metrics\.key {tmp_path}: cannot be read: Is a directory"):
        server_context(own, tmp_path, "metrics")
    for pair in ((own, foreign), (rubbish, key), (own, rubbish), (own, locked), (key, own)):
        with pytest.raises(
            ConfigurationError, match=rf"metrics\.certificate {pair[0]}, metrics\.key {pair[1]}: are not"
        ):
            server_context(*pair, "metrics")
