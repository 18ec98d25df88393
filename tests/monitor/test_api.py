"""What `monitor.api` hands out, and how a detector brings crops to the size that it looks at."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import pytest
from click.testing import CliRunner

from monitor import api
from monitor.api import CropRefusedError, Detector, LazyGroup, Provider
from monitor.errors import PluginError
from monitor.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from monitor.api import Pixels

REGISTRY = Registry.load()


HANDED_OUT = {
    "CropRefusedError", "DataError", "Detector", "EpochReport", "EvidenceMissingError", "FitReport", "Floats",
    "InputMissingError", "LazyGroup", "OutputError", "Pixels", "Progress", "Provider", "Runtime", "SMALLEST_CROP",
    "NotOfferedError", "ScoreArray", "ScoreEvidence", "Scores", "ThresholdRule", "hookimpl", "mean_squared_errors",
    "squared_error_maps",
}  # fmt: skip


def test_what_plug_ins_may_import() -> None:
    assert set(api.__all__) == HANDED_OUT
    assert all(getattr(api, name) is not None for name in HANDED_OUT)
    with pytest.raises(AttributeError, match=r"^module 'monitor\.api' has no attribute 'Absent'$"):
        api.Absent  # noqa: B018


def test_every_member_of_a_detector_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/plugins.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| `(\w+)` \| (required|optional|given) \|", page, re.MULTILINE))
    members = {name for name in {*vars(Detector), *Detector.__annotations__} if not name.startswith("_")}
    assert written.keys() == members
    abstract = {name for name, how in written.items() if how == "required"} - {"name", "Settings"}
    assert abstract == Detector.__abstractmethods__


@pytest.mark.process
def test_importing_it_loads_nothing_heavy() -> None:
    program = "import sys; import monitor.api; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert loaded & {"numpy", "torch", "pydantic", "click", "PIL", "sqlalchemy"} == set()


@click.command("greet")
def greet() -> None:
    """Say hello."""
    click.echo("hello")


def lazy_group() -> click.Group:
    # This module is imported by pytest under a name of its own, by which a provider finds it again.
    targets = {"greet": f"{__name__}:greet", "broken": f"{__name__}:HANDED_OUT", "absent": "nowhere:command"}
    return LazyGroup("lazy", providers=[Provider(name, f"To {name}.", target) for name, target in targets.items()])


def test_a_lazy_group_lists_its_commands_without_importing_them() -> None:
    lines = [line.split(maxsplit=1) for line in CliRunner().invoke(lazy_group(), ["--help"]).output.splitlines()]
    assert lines[-3:] == [["greet", "To greet."], ["broken", "To broken."], ["absent", "To absent."]]


def test_a_lazy_group_imports_the_command_that_is_called() -> None:
    assert CliRunner().invoke(lazy_group(), ["greet"]).output == "hello\n"
    assert "No such command 'unknown'" in CliRunner().invoke(lazy_group(), ["unknown"]).output
    assert isinstance(CliRunner().invoke(lazy_group(), ["absent"]).exception, ModuleNotFoundError)
    with pytest.raises(PluginError, match=r"^the command 'broken': \S+:HANDED_OUT is not a click command$"):
        CliRunner().invoke(lazy_group(), ["broken"], catch_exceptions=False)


@pytest.fixture(params=["ae", "cvae", "mnad", "patchstats"])
def kind(request: pytest.FixtureRequest) -> type[Detector]:
    """Each of the built-in detectors, untrained."""
    return REGISTRY.detector_class(request.param)


def new(kind: type[Detector]) -> Detector:
    return kind(kind.Settings())


def crops() -> list[NDArray[np.uint8]]:
    """Noise of two shapes, several crops of each."""
    generator = np.random.default_rng(0)
    shapes = [(30, 50, 3), (31, 49, 3)] * 6
    return [generator.integers(0, 256, size=shape, dtype=np.uint8) for shape in shapes]


def test_a_batch_is_prepared_like_its_singles(kind: type[Detector]) -> None:
    detector = new(kind)
    batch = detector.prepare_batch(crops())
    for prepared, pixels in zip(batch, crops(), strict=True):
        np.testing.assert_array_equal(prepared[..., :3], detector.prepare(pixels))


def test_a_subclass_that_prepares_single_crops_in_its_own_way_does_so_in_a_batch(kind: type[Detector]) -> None:
    class Negative(kind):  # type: ignore[valid-type, misc]
        def prepare(self, pixels: Pixels) -> Pixels:
            if pixels.max() == pixels.min():
                raise CropRefusedError("blank", "it shows nothing")
            prepared: Pixels = 255 - super().prepare(pixels)
            return prepared

    class Derived(Negative):
        pass

    usual = new(kind).prepare_batch(crops())
    for negative in (Negative, Derived):
        np.testing.assert_array_equal(new(negative).prepare_batch(crops())[..., :3], 255 - usual[..., :3])
    with pytest.raises(CropRefusedError, match="shows nothing"):
        new(Negative).prepare_batch([*crops(), np.zeros((30, 50, 3), dtype=np.uint8)])


def test_a_subclass_that_prepares_many_crops_in_its_own_way_does_so(kind: type[Detector]) -> None:
    class Negative(kind):  # type: ignore[valid-type, misc]
        def prepare_together(self, crops: Sequence[Pixels]) -> Pixels:
            prepared: Pixels = 255 - super().prepare_together(crops)
            return prepared

    usual = new(kind).prepare_batch(crops())
    np.testing.assert_array_equal(new(Negative).prepare_batch(crops())[..., :3], 255 - usual[..., :3])
