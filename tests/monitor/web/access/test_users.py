"""The file of users, and the command that changes it."""

from __future__ import annotations

import json
import os
import stat
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from monitor.cli.program import Program
from monitor.cli.web import command
from monitor.errors import ConfigurationError, DataError, InputMissingError
from monitor.web.access.passwords import hashed, is_right
from monitor.web.access.users import User, Users, changing, checked_name, read
from monitor.web.people import Person, Role

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

PASSWORD = "molten metal"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "web.users"


@pytest.fixture
def run(tmp_path: Path, path: Path) -> Run:
    path.parent.mkdir()
    (tmp_path / "config.toml").write_text('[web]\nusers = "state/web.users"\n')
    return Run(tmp_path / "config.toml")


class Run:
    """Runs `monitor web user`."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration

    def __call__(self, *arguments: str, given: str | None = None) -> Result:
        program = Program()
        program.config_path = self.configuration
        return CliRunner().invoke(command, ["user", *arguments], obj=program, input=given)


def test_a_user_is_added_with_a_password_that_is_asked_for_twice(run: Run, path: Path) -> None:
    done = run("add", "anna", "--role", "operator", given=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PASSWORD not in path.read_text()
    user = Users(path).find("anna")
    assert user is not None
    assert user.person == Person("anna", Role.OPERATOR)
    assert is_right(user.password, PASSWORD)
    assert not is_right(user.password, PASSWORD + " ")
    assert not is_right(None, "the password of somebody who is unknown")


def test_two_passwords_that_differ_add_nobody(run: Run, path: Path) -> None:
    assert run("add", "anna", "--role", "viewer", given=f"{PASSWORD}\nother\n").exit_code != 0
    assert not path.exists()


def test_a_password_may_come_from_a_file(run: Run, tmp_path: Path, path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\nnot this\n")
    assert run("add", "мария", "--role", "engineer", "--password-file", str(file)).exit_code == 0
    assert is_right(read(path)[0].password, PASSWORD)
    assert run("add", "boris", "--role", "engineer", "--password-file", "-", given=PASSWORD).exit_code == 0
    missing = run("add", "carl", "--role", "viewer", "--password-file", str(tmp_path / "none"))
    assert isinstance(missing.exception, InputMissingError)
    file.write_bytes(b"\xff\xfe")
    assert isinstance(run("password", "boris", "--password-file", str(file)).exception, DataError)
    file.write_text("short\n")
    assert "has 5 characters" in str(run("password", "boris", "--password-file", str(file)).exception)


@pytest.mark.parametrize("name", ["", " ", "a" * 101, "a\nb", "a\\b", "a\u202eb", "\x00"])
def test_names_that_nobody_can_have(name: str) -> None:
    with pytest.raises(DataError, match="is not a name"):
        checked_name(name)


def test_nobody_is_added_twice_and_nobody_unknown_is_changed(run: Run, path: Path) -> None:
    run("add", "anna", "--role", "operator", "--password-file", "-", given=PASSWORD)
    before = path.read_bytes()
    assert "already" in str(run("add", "Anna", "--role", "viewer", "--password-file", "-", given=PASSWORD).exception)
    for arguments in (("remove", "boris"), ("token", "boris"), ("password", "boris", "--password-file", "-")):
        assert "there is no user boris" in str(run(*arguments, given=PASSWORD).exception)
    assert path.read_bytes() == before


def test_users_are_listed_changed_and_removed(run: Run, path: Path) -> None:
    run("add", "anna", "--role", "operator", "--password-file", "-", given=PASSWORD)
    stamp = read(path)[0].stamp
    run("password", "anna", "--password-file", "-", given="another one")
    assert read(path)[0].stamp != stamp
    token = run("token", "anna").stdout.strip()
    assert token not in path.read_text()
    found = Users(path).of_token(token)
    assert found is not None
    assert found.name == "anna"
    assert json.loads(run("list", "--format", "json").stdout) == {"name": "anna", "role": "operator", "token": True}
    other = run("token", "anna").stdout.strip()
    assert Users(path).of_token(token) is None
    run("token", "anna", "--revoke")
    assert Users(path).of_token(other) is None
    assert "operator" in run("list").stdout
    run("remove", "anna")
    assert read(path) == []
    assert "there are no users" in run("list").stderr


def test_without_a_file_in_the_configuration_the_command_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(ConfigurationError, match=r"web\.users names no file"):
        raise_from(Run(tmp_path / "config.toml")("list"))


def raise_from(result: Result) -> None:
    assert result.exception is not None
    raise result.exception


def test_changes_count_at_once(path: Path) -> None:
    path.parent.mkdir()
    anna = User(name="anna", role="viewer", password=hashed(PASSWORD))
    with changing(path) as users:
        users["anna"] = anna
    known = Users(path)
    assert known.find("anna") == anna
    with changing(path) as users:
        users["anna"] = anna.model_copy(update={"role": "engineer"})
    found = known.find("anna")
    assert found is not None
    assert found.role == "engineer"
    path.unlink()
    with pytest.raises(ConfigurationError, match="is missing"):
        known.find("anna")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not what monitor web user writes"),
        (b"\xff\xfe\x00", "is not what monitor web user writes"),
        (b'{"version": 2, "users": []}', "version"),
        (b'{"users": [{"name": "anna", "role": "admin", "password": "$argon2id$x"}]}', r"users\.0\.role"),
        (b'{"users": [{"name": "anna", "role": "viewer", "password": "plain-secret"}]}', r"users\.0\.password"),
        (b"[" * 100_000, "is not what monitor web user writes"),
        (b" " * (2**20 + 1), "has more than"),
    ],
)
def test_of_a_broken_file_nobody_gets_in_who_was_known_before(path: Path, content: bytes, sentence: str) -> None:
    path.parent.mkdir()
    with changing(path) as users:
        users["anna"] = User(name="anna", role="viewer", password=hashed(PASSWORD))
    known = Users(path)
    assert known.count() == 1
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=sentence) as broken:
            known.find("anna")
        assert "plain-secret" not in str(broken.value)
    with pytest.raises(ConfigurationError, match=sentence), changing(path):
        pass
    assert path.read_bytes() == content


def test_a_file_that_others_may_read_or_change_is_not_trusted(path: Path) -> None:
    path.parent.mkdir()
    with changing(path) as users:
        users["anna"] = User(name="anna", role="viewer", password=hashed(PASSWORD))
    known = Users(path)
    assert known.count() == 1
    for mode in (0o640, 0o602):
        path.chmod(mode)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            known.count()
    path.chmod(0o600)
    assert known.count() == 1


def test_two_who_change_the_file_at_once_lose_nothing(path: Path) -> None:
    path.parent.mkdir()
    password = hashed(PASSWORD)

    def add(number: int) -> None:
        with changing(path) as users:
            users[f"user {number}"] = User(name=f"user {number}", role="viewer", password=password)

    threads = [Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(path)) == 20
    assert {one.name for one in path.parent.iterdir()} == {"web.users", ".web.users.lock"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_what_root_makes_belongs_to_the_owner_of_the_folder(path: Path) -> None:
    path.parent.mkdir()
    os.chown(path.parent, 12345, 12346)
    for _ in range(2):
        with changing(path) as users:
            users["anna"] = User(name="anna", role="viewer", password=hashed(PASSWORD))
        for one in path.parent.iterdir():
            status = one.stat()
            assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12346, 0o600)
