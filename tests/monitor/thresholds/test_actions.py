from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.configuration.settings import Calibration
from monitor.thresholds.actions import Action, largest_action
from monitor.words import Label
from tests.support.made_up import NOW, MadeUp
from tests.support.made_up_rules import evidence

MINUTE = timedelta(minutes=1)


def largest(store: MadeUp, label: Label = Label.PROLIV, zone: str = "UTC") -> Action | None:
    newest = evidence(store, Calibration(half_life_days=0)).newest
    return largest_action(newest, label, gap_seconds=600, zone=ZoneInfo(zone))


def label(store: MadeUp, author: str, *minutes: float, given: str = "proliv", camera: str | None = None) -> None:
    """A label at each minute after `NOW`, of crops of different cameras, or of one camera a few seconds apart."""
    for index, minute in enumerate(minutes):
        where = camera or f"{author}-{index}"
        crop = store.crop(3.0, camera=where, at=NOW + index * timedelta(seconds=5))
        store.label(crop, given, author=author, at=NOW + minute * MINUTE)


def test_labels_of_one_author_without_a_long_pause_are_one_action(store: MadeUp) -> None:
    label(store, "eve", 10, 14, 19, 25, 26)
    label(store, "ann", 12, 13)
    action = largest(store)
    assert action == Action(
        Label.PROLIV, 3, 7, "were given by eve from 2026-03-02 03:10:00+00:00 to 2026-03-02 03:19:00+00:00"
    )


def test_the_times_are_those_of_the_plant(store: MadeUp) -> None:
    label(store, "eve", 10)
    action = largest(store, zone="Europe/Samara")
    assert action is not None
    assert action.words == "were given by eve at 2026-03-02 07:10:00+04:00"


def test_proliv_labels_of_one_incident_are_one_action_whoever_gives_them(store: MadeUp) -> None:
    for index, author in enumerate(("eve", "ann", "joe")):
        crop = store.crop(3.0, camera="C", at=NOW + index * timedelta(seconds=5))
        store.label(crop, "proliv", author=author, at=NOW + timedelta(hours=1 + index))
    label(store, "eve", 10, 11)
    action = largest(store)
    assert action is not None
    assert (action.crops, action.of) == (3, 5)
    assert action.words == (
        "are of one incident, on camera C from 2026-03-02 03:00:00+00:00 to 2026-03-02 03:00:10+00:00"
    )


def test_ne_proliv_labels_of_one_camera_are_no_incident(store: MadeUp) -> None:
    label(store, "eve", 10, 30, 50, given="ne_proliv", camera="C")
    action = largest(store, Label.NE_PROLIV)
    assert action is not None
    assert action.crops == 1


def test_random_draws_belong_to_no_action(store: MadeUp) -> None:
    label(store, "eve", 10, 11, 12, given="ne_proliv")
    store.draw([1, 2], 50)
    action = largest(store, Label.NE_PROLIV)
    assert action is not None
    assert (action.crops, action.of) == (1, 3)
    store.label(store.crop(1.0), "ne_proliv", at=NOW)
    assert largest(store) is None
