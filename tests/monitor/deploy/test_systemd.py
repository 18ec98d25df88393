"""The unit of the daemon, as systemd's own programs judge it, and what it opens for which configuration."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.configuration.file import load
from monitor.configuration.resolved import Configuration
from monitor.deploy.networks import database_hosts
from monitor.deploy.systemd import Access, files, warnings
from monitor.errors import ConfigurationError, ExitCode, StoreReplacedError, StoreSchemaError
from tests.support.systemd_judge import assert_nothing_is_wrong_and_little_exposed

if TYPE_CHECKING:
    from tests.conftest import RunMonitor
    from tests.monitor.deploy.conftest import Configure

CAMERA = Access(groups=("camera",))


def unit(configuration: Configuration, access: Access = CAMERA) -> str:
    (text,) = files(configuration, access).values()
    return text


def directives(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "default": ((), {}),
    "moving": (
        ('inbox.after = "archive"',),
        {"archive": "/srv/archive", "quarantine": "/srv/odd folder/100%", "labelled": ""},
    ),
    "home": ((), {"inbox": "/home/camera/holes", "quarantine": "/home/camera/odd: folder"}),
    "silent": (("metrics.enabled = false",), {}),
    "server": (('database.url = "postgresql://monitor:secret@10.1.2.3/monitor"',), {}),
    "open": (('metrics.host = "0.0.0.0"',), {}),
}


@pytest.mark.server
@pytest.mark.parametrize("variant", VARIANTS)
def test_systemd_finds_nothing_wrong_and_little_exposed(configure: Configure, variant: str, tmp_path: Path) -> None:
    lines, paths = VARIANTS[variant]
    path = tmp_path / "monitor.service"
    path.write_text(unit(configure(*lines, **paths)))
    assert_nothing_is_wrong_and_little_exposed(path)


@pytest.mark.parametrize("variant", [*VARIANTS, "gpu", "named server"])
def test_every_directive_is_explained_on_the_line_above_it(configure: Configure, variant: str) -> None:
    more = {
        "gpu": ('pipeline.device = "cuda"',),
        "named server": ('database.url = "postgresql://monitor@db.plant/monitor"',),
    }
    lines, paths = VARIANTS.get(variant, (more.get(variant, ()), {}))
    written = unit(configure(*lines, **paths)).splitlines()
    bare = [line for above, line in pairwise(written) if re.match(r"\w+=", line) and not above.startswith("# ")]
    assert bare == []


def test_the_same_configuration_gives_the_same_bytes(configure: Configure) -> None:
    assert unit(configure()) == unit(configure())


def test_what_is_only_read_is_not_opened_for_writing(configure: Configure) -> None:
    assert "ReadWritePaths" not in directives(unit(configure()))
    moving = configure('inbox.after = "archive"', archive="/srv/archive")
    assert directives(unit(moving))["ReadWritePaths"] == ["/srv/archive /srv/camera/holes"]
    quarantine = configure(quarantine="/srv/odd folder/100%")
    assert directives(unit(quarantine))["ReadWritePaths"] == ['/srv/camera/holes "/srv/odd folder/100%%"']
    assert directives(unit(moving))["SupplementaryGroups"] == ["camera"]
    assert warnings(moving, CAMERA) == warnings(configure(), CAMERA)
    assert any("/srv/archive, /srv/camera/holes: the service writes there" in one for one in warnings(moving, Access()))
    within = configure('inbox.after = "delete"', inbox="/var/lib/monitor/inbox", labelled="")
    assert "ReadWritePaths" not in directives(unit(within))


def test_a_folder_beside_the_configuration_is_noticed(configure: Configure) -> None:
    def noticed(labelled: str) -> bool:
        settings = configure(labelled=labelled).settings
        found = warnings(Configuration(settings=settings, file=Path("/etc/monitor/config.toml")), CAMERA)
        return any("/etc/monitor/labelled: a relative path is relative to the configuration" in one for one in found)

    assert noticed("labelled")
    assert not noticed("/srv/camera/labelled")
    assert not noticed("")


def test_of_homes_only_the_folders_that_are_named_are_seen(configure: Configure) -> None:
    found = directives(unit(configure(inbox="/home/camera/holes")))
    assert (found["ProtectHome"], found["BindReadOnlyPaths"]) == (["tmpfs"], ["/home/camera/holes"])
    assert "BindPaths" not in found
    lines, paths = VARIANTS["home"]
    found = directives(unit(configure(*lines, **paths)))
    assert found["BindPaths"] == ['/home/camera/holes "/home/camera/odd: folder"']


def test_the_network_is_what_the_configuration_needs(configure: Configure) -> None:
    def allowed(*lines: str, networks: tuple[str, ...] = ()) -> list[str]:
        found = directives(unit(configure(*lines), Access(networks=networks)))
        assert found["IPAddressDeny"] == ["any"]
        return found["IPAddressAllow"][0].split()

    assert allowed() == ["localhost"]
    assert allowed('database.url = "postgresql://monitor@localhost/monitor"') == ["localhost"]
    assert allowed('database.url = "postgresql:///monitor?host=/run/postgresql"') == ["localhost"]
    assert allowed('database.url = "postgresql://monitor:geheim@10.1.2.3/monitor"') == ["localhost", "10.1.2.3"]
    by_name = 'database.url = "postgresql://monitor:geheim@db.plant/monitor"'
    assert {"localhost", "10.0.0.0/8", "fc00::/7"} <= set(allowed(by_name))
    assert allowed(by_name, networks=("10.9.0.0/16",)) == ["localhost", "10.9.0.0/16"]
    assert "192.168.0.0/16" in allowed('metrics.host = "0.0.0.0"')
    assert "geheim" not in unit(configure(by_name))

    silent = directives(unit(configure("metrics.enabled = false")))
    assert (silent["PrivateNetwork"], silent["RestrictAddressFamilies"]) == (["yes"], ["AF_UNIX"])
    assert "IPAddressAllow" not in silent


def test_hosts_of_a_database(configure: Configure) -> None:
    assert database_hosts("postgresql://a@db1/x?host=db2:5433,/run/postgresql") == ["db1", "db2"]
    assert database_hosts("sqlite:////var/lib/monitor/monitor.db") == []


def test_the_watchdog_waits_longer_than_the_database_may(configure: Configure) -> None:
    assert directives(unit(configure()))["WatchdogSec"] == ["120"]
    found = directives(unit(configure("database.busy_seconds = 300")))
    assert (found["WatchdogSec"], found["TimeoutStopSec"]) == (["600"], ["390"])


def test_it_is_not_started_again_where_only_a_person_can_help(configure: Configure) -> None:
    found = directives(unit(configure()))
    (codes,) = found["RestartPreventExitStatus"]
    helpless = {ExitCode.USAGE, ExitCode.NO_MODEL, ExitCode.DATA_ERROR, ExitCode.CONFIGURATION}
    assert {ExitCode(int(code)) for code in codes.split()} == helpless
    assert found["Restart"] == ["on-failure"]
    # Restarting goes on with the database that is there now, and with a schema of another version it does not help.
    assert StoreReplacedError.exit_code not in helpless
    assert StoreSchemaError.exit_code in helpless


def test_a_gpu_is_opened_where_one_is_named(configure: Configure) -> None:
    assert directives(unit(configure()))["PrivateDevices"] == ["yes"]
    found = directives(unit(configure('pipeline.device = "cuda:1"')))
    assert found["DeviceAllow"] == ["char-nvidia* rw"]
    assert "PrivateDevices" not in found


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ({"state": "/srv/state"}, r"paths.state: /srv/state must be below /var/lib, .* such as /var/lib/monitor"),
        ({"state": "/var/lib"}, "paths.state: /var/lib must be below"),
        ({"inbox": "/tmp/holes"}, "/tmp/holes: the service has its own /tmp and /var/tmp"),
    ],
)
def test_folders_that_no_service_can_use(configure: Configure, paths: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        unit(configure(**paths))


@pytest.mark.parametrize(
    ("access", "sentence"),
    [
        (Access(name="Mon itor"), "--name: 'Mon itor' is not a valid name"),
        (Access(groups=("camera\nUser=root",)), "--group: .* is not a valid name"),
        (Access(networks=("everybody",)), "--allow: 'everybody' is neither an address nor a network"),
    ],
)
def test_names_that_are_none(configure: Configure, access: Access, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        unit(configure(), access)


def test_a_service_needs_a_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load().model_copy(update={"file": None})
    with pytest.raises(ConfigurationError, match=r"a service needs a configuration file: write /etc/monitor/"):
        unit(configuration)


def test_the_command_writes_the_unit_and_says_what_is_next(run_monitor: RunMonitor, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'paths.state = "/var/lib/monitor"\npaths.inbox = "/srv/holes"\npaths.labelled = ""\n'
    )
    options = ("--output", "units", "--name", "monitor-2", "--allow", "10.1.2.0/24", "--group", "camera")
    ended = run_monitor("deploy", "systemd", *options)
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "units" / "monitor-2.service").read_text()
    assert f"-m monitor --config {tmp_path}/config.toml run" in text
    assert directives(text)["User"] == ["monitor-2"]
    assert "sudo systemctl enable --now monitor-2" in ended.stdout
    assert f"warning: {tmp_path}/config.toml: the service cannot see the configuration there" in ended.stderr
    (tmp_path / "config.toml").write_text('paths.state = "state"\n')
    refused = run_monitor("deploy", "systemd", "--output", "others")
    assert refused.returncode == 78
    assert "must be below /var/lib" in refused.stderr
    assert not (tmp_path / "others").exists()
