from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from monitor.errors import ConfigurationError, OutputError
from monitor.web.access.sessions import MOST_ENDED, Sessions, key_in
from monitor.web.access.users import User, Users, changing

if TYPE_CHECKING:
    from pathlib import Path

ANNA = User(name="anna", role="viewer", password="$argon2id$made-up")


@pytest.fixture
def users(tmp_path: Path) -> Users:
    with changing(tmp_path / "users") as found:
        found["anna"] = ANNA
    return Users(tmp_path / "users")


def test_a_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    key = key_in(tmp_path)
    assert key_in(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "web.key").stat().st_mode) == 0o600


def test_a_key_that_is_not_ours_alone_is_refused(tmp_path: Path) -> None:
    key_in(tmp_path)
    path = tmp_path / "web.key"
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="other users of this machine may read it"):
        key_in(tmp_path)
    path.chmod(0o600)
    path.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="is not a key"):
        key_in(tmp_path)
    with pytest.raises(OutputError, match=r"correct paths\.state"):
        key_in(tmp_path / "none")


def test_a_login_holds_under_its_key_alone(users: Users) -> None:
    ours, theirs = Sessions(b"a" * 64), Sessions(b"b" * 64)
    cookie = ours.issue(ANNA)
    assert ours.user_of(cookie, users) == ANNA
    assert theirs.user_of(cookie, users) is None
    assert ours.cookie != theirs.cookie
    assert ANNA.password not in cookie


def test_a_login_that_ended_stays_so_and_others_go_on(users: Users) -> None:
    sessions = Sessions(b"a" * 64)
    first, second = sessions.issue(ANNA), sessions.issue(ANNA)
    sessions.end(first)
    sessions.end("rubbish")
    assert sessions.user_of(first, users) is None
    assert sessions.user_of(second, users) == ANNA


def test_memory_of_ended_logins_is_bounded(users: Users) -> None:
    sessions = Sessions(b"a" * 64)
    for _ in range(MOST_ENDED + 10):
        sessions.end(sessions.issue(ANNA))
    assert len(sessions._ended) == MOST_ENDED
