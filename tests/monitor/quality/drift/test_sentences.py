from __future__ import annotations

from monitor.quality.drift.groups import DriftState, GroupDrift
from monitor.quality.drift.sentences import drift_sentence


def group(hole: int, shift: float, *, drifting: bool = True, camera: str = "1") -> GroupDrift:
    state = DriftState.DRIFTING if drifting else DriftState.STEADY
    return GroupDrift(camera, hole, state, 100, 4800, 0, shift=shift, stability=0.1, t=shift * 9, p=0.5)


def everything(shift: float, *, drifting: bool) -> GroupDrift:
    return group(-1, shift, drifting=drifting, camera="*")


def test_several_holes_are_listed_the_farthest_first() -> None:
    steady = [group(hole, 0.1, drifting=False) for hole in range(20, 60)]
    two = [everything(0, drifting=False), group(3, 1.0), group(4, -2.0), *steady]
    assert drift_sentence(two) == "hole 4 down by 2.0 robust sigmas, hole 3 up by 1.0 robust sigmas"
    eight = [everything(0, drifting=True), *(group(hole, float(hole)) for hole in range(1, 9)), *steady]
    assert drift_sentence(eight) == (
        "hole 8 up by 8.0 robust sigmas, hole 7 up by 7.0 robust sigmas, hole 6 up by 6.0 robust sigmas, "
        "hole 5 up by 5.0 robust sigmas, hole 4 up by 4.0 robust sigmas, and 3 more"
    )


def test_all_together_means_more_than_half_in_one_direction_or_no_hole_alone() -> None:
    half = [group(1, 1.0), group(2, 1.0), group(3, 0.0, drifting=False), group(4, 0.0, drifting=False)]
    assert drift_sentence([everything(1, drifting=True), *half]).startswith("hole 1 up")
    most = [group(1, 1.0), group(2, 3.0), group(3, 2.0), group(4, -5.0)]
    assert drift_sentence([everything(0, drifting=False), *most]) == (
        "all holes together: up by 2.0 robust sigmas, 3 of 4 holes"
    )
    quiet = [group(hole, 0.4, drifting=False) for hole in range(1, 5)]
    assert drift_sentence([everything(0.5, drifting=True), *quiet]) == (
        "all holes together: up by 0.5 robust sigmas, no hole stands out"
    )
    assert drift_sentence([everything(0.5, drifting=True)]).startswith("all holes together: up by 0.5")
