"""The unit of the page, as systemd's own programs judge it, and what it opens for which configuration."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from monitor.deploy import systemd, systemd_web
from monitor.deploy.systemd import Access
from monitor.errors import ExitCode
from tests.monitor.deploy.test_systemd import CAMERA, directives
from tests.support.systemd_judge import assert_nothing_is_wrong_and_little_exposed

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from tests.conftest import RunMonitor
    from tests.monitor.deploy.conftest import Configure

OPEN = (
    'web.host = "0.0.0.0"', 'web.users = "/var/lib/monitor/web.users"',
    'web.certificate = "/etc/monitor/web.pem"', 'web.key = "/etc/monitor/web.key"',
)  # fmt: skip
VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "default": ((), {}),
    "moving": (('inbox.after = "archive"',), {"archive": "/srv/archive", "quarantine": "/srv/odd folder/100%"}),
    "home": ((), {"inbox": "/home/camera/holes"}),
    "server": (('database.url = "postgresql://monitor:geheim@10.1.2.3/monitor"',), {}),
    "open": (OPEN, {}),
}


def unit(configuration: Configuration, access: Access = CAMERA) -> str:
    ((name, text),) = systemd_web.files(configuration, access).items()
    assert name == "monitor-web.service"
    return text


@pytest.mark.server
@pytest.mark.parametrize("variant", VARIANTS)
def test_systemd_finds_nothing_wrong_and_little_exposed(configure: Configure, variant: str, tmp_path: Path) -> None:
    lines, paths = VARIANTS[variant]
    path = tmp_path / "monitor-web.service"
    path.write_text(unit(configure(*lines, **paths)))
    assert_nothing_is_wrong_and_little_exposed(path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_directive_is_explained_on_the_line_above_it(configure: Configure, variant: str) -> None:
    lines, paths = VARIANTS[variant]
    written = unit(configure(*lines, **paths)).splitlines()
    assert [line for above, line in pairwise(written) if re.match(r"\w+=", line) and not above.startswith("# ")] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_kept_away_from_what_the_daemon_is_kept_away_from(configure: Configure, variant: str) -> None:
    lines, paths = VARIANTS[variant]
    configuration = configure(*lines, **paths)
    (daemons,) = systemd.files(configuration, CAMERA).values()
    daemon, web = directives(daemons), directives(unit(configuration))
    alike = {name for name in daemon if name.startswith(("Protect", "Private", "Restrict", "SystemCall", "Capability"))}
    alike -= {"RestartPreventExitStatus", "RestrictAddressFamilies"}
    assert {name: web.get(name) for name in alike} == {name: daemon[name] for name in alike}
    # And they share a user, so that both may write into the database.
    for name in ("User", "DynamicUser", "StateDirectory", "StateDirectoryMode", "SupplementaryGroups"):
        assert web[name] == daemon[name]


def test_it_moves_no_files_and_so_writes_into_no_folder_of_the_camera(configure: Configure) -> None:
    lines, paths = VARIANTS["moving"]
    assert "ReadWritePaths" not in directives(unit(configure(*lines, **paths)))
    elsewhere = configure('database.url = "sqlite:////srv/database/monitor.db"')
    assert directives(unit(elsewhere))["ReadWritePaths"] == ["/srv/database"]
    home = directives(unit(configure(*VARIANTS["home"][0], **VARIANTS["home"][1])))
    assert (home["ProtectHome"], home["BindReadOnlyPaths"]) == (["tmpfs"], ["/home/camera/holes"])


def test_the_network_is_what_the_page_needs(configure: Configure) -> None:
    assert directives(unit(configure()))["IPAddressAllow"] == ["localhost"]
    assert directives(unit(configure("metrics.enabled = false")))["IPAddressAllow"] == ["localhost"]
    assert "10.0.0.0/8" in directives(unit(configure(*OPEN)))["IPAddressAllow"][0]
    narrow = directives(unit(configure(*OPEN), Access(networks=("10.9.0.0/16",))))
    assert narrow["IPAddressAllow"] == ["localhost 10.9.0.0/16"]
    assert "geheim" not in unit(configure(*VARIANTS["server"][0]))


def test_it_is_not_started_again_where_only_a_person_can_help(configure: Configure) -> None:
    (codes,) = directives(unit(configure()))["RestartPreventExitStatus"]
    assert {ExitCode(int(code)) for code in codes.split()} == {ExitCode.USAGE, ExitCode.CONFIGURATION}


def test_users_that_the_service_could_not_read_are_noticed(configure: Configure) -> None:
    assert systemd_web.warnings(configure(*OPEN)) == []
    assert systemd_web.warnings(configure()) == []
    (sentence,) = systemd_web.warnings(configure('web.users = "/etc/monitor/web.users"'))
    assert "set web.users to a file below /var/lib/monitor" in sentence


def test_the_command_writes_it_beside_the_daemon_s(run_monitor: RunMonitor, tmp_path: Path) -> None:
    lines = 'paths.state = "/var/lib/monitor"\npaths.inbox = "/srv/holes"\npaths.labelled = ""\n'
    (tmp_path / "config.toml").write_text(lines)
    ended = run_monitor("deploy", "systemd", "--output", "units", "--name", "second", "--web")
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (tmp_path / "units").iterdir()} == {"second.service", "second-web.service"}
    text = (tmp_path / "units" / "second-web.service").read_text()
    assert f"-m monitor --config {tmp_path}/config.toml web" in text
    assert directives(text)["After"] == ["second.service"]
    assert "sudo systemctl enable --now second second-web" in ended.stdout
