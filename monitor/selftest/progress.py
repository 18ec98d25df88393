"""How far a self-test has come, leg by leg, and which one failed. Arithmetic and words alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.selftest.choice import Chosen
    from monitor.store.selftests import SelftestCrop, SelftestDelivery

LOG: Final = "see the daemon's log: journalctl -u monitor"


class Leg(NamedTuple):
    """A part of the way. ``leg``: "folder", "detector", "store", "alarm" or "sink".

    ``what``: the crop, as its label, or the sink. ``seconds``: how long it took, None where it was not done.
    ``outcome``: a sentence. ``failed``: whether what arrived is wrong, which waiting does not cure.
    """

    leg: str
    what: str
    seconds: float | None
    outcome: str
    failed: bool = False

    @property
    def done(self) -> bool:
        """Whether it was done, and well."""
        return self.seconds is not None and not self.failed

    def as_dict(self) -> dict[str, Any]:
        """The same by name, ready for JSON."""
        return {**self._asdict(), "passed": self.done}


def legs(
    sent: Mapping[Label, Chosen],
    found: Mapping[str, SelftestCrop],
    deliveries: Mapping[str, SelftestDelivery],
    sinks: Sequence[str],
) -> list[Leg]:
    """Every leg of a self-test, in order. ``found``: its crops, by label. ``sinks``: those that have to take it."""
    every = [leg for label in Label for leg in _of_crop(sent[label], found[label.value])]
    stored_at = found[Label.PROLIV.value].alarm_at
    return [*every, *(_of_sink(name, deliveries.get(name), stored_at) for name in sinks)]


def _of_crop(sent: Chosen, crop: SelftestCrop) -> list[Leg]:
    label = sent.label.value
    return [
        Leg("folder", label, _between(crop.written_at, crop.seen_at), _folder(crop)),
        _detector(sent, crop),
        Leg("store", label, _between(crop.decided_at, crop.stored_at), _store(crop), failed=_is_refused(crop)),
        *([_alarm(crop)] if sent.label is Label.PROLIV else []),
    ]


def _folder(crop: SelftestCrop) -> str:
    if crop.seen_at is not None:
        return "found by the daemon"
    return f"not found by the daemon; it may not watch this folder, or may not read it: {LOG}"


def _detector(sent: Chosen, crop: SelftestCrop) -> Leg:
    seconds = _between(crop.seen_at, crop.decided_at)
    if crop.verdict is None:
        if crop.problem is not None:
            return Leg("detector", sent.label.value, None, f"refused: {crop.problem}", failed=True)
        words = f"no decision; the models may be slow, or the database may refuse: monitor status; {LOG}"
        return Leg("detector", sent.label.value, None, words)
    words = f"{crop.verdict}, score {crop.score:.6g}, threshold {crop.threshold:.6g}"
    if crop.verdict == sent.label.value:
        return Leg("detector", sent.label.value, seconds, words)
    here = (
        f"; this command decides {sent.label.value} on it, score {sent.score:.6g}, threshold {sent.threshold:.6g}, so "
        "the daemon has another model or threshold: systemctl reload monitor"
    )
    return Leg("detector", sent.label.value, seconds, f"WRONG: {words}{here}", failed=True)


def _store(crop: SelftestCrop) -> str:
    if crop.stored_at is not None:
        return "stored as any other, and taken back"
    return f"refused: {crop.problem}" if _is_refused(crop) else "not stored"


def _is_refused(crop: SelftestCrop) -> bool:
    return crop.verdict is not None and crop.stored_at is None and crop.problem is not None


def _alarm(crop: SelftestCrop) -> Leg:
    if crop.alarm_at is not None:
        opened = "opened as any other, and taken back"
        return Leg("alarm", crop.expected, _between(crop.stored_at, crop.alarm_at), opened)
    if crop.stored_at is not None and crop.problem is not None:
        return Leg("alarm", crop.expected, None, f"not opened: {crop.problem}", failed=True)
    return Leg("alarm", crop.expected, None, "not opened")


def _of_sink(name: str, one: SelftestDelivery | None, stored_at: datetime | None) -> Leg:
    if one is None:
        return Leg("sink", name, None, "nothing was sent")
    if one.delivered_at is not None:
        tries = "" if one.attempts == 1 else f" at attempt {one.attempts}"
        return Leg("sink", name, _between(stored_at, one.delivered_at), f"taken{tries}")
    if one.error is None:
        return Leg("sink", name, None, "no answer yet; its receiver is slow: monitor alarms deliveries")
    # One that is not sent again fails at once.
    return Leg("sink", name, None, f"not taken: {one.error}", failed=one.attempts == 0)


def _between(first: datetime | None, last: datetime | None) -> float | None:
    """Seconds from one time to the other; 0 where clocks of two machines disagree."""
    return None if first is None or last is None else max(timedelta(0), last - first).total_seconds()


def is_over(every: Sequence[Leg]) -> bool:
    """Whether nothing more is to be waited for."""
    return all(leg.done for leg in every) or any(leg.failed for leg in every)


def problem(every: Sequence[Leg], within_seconds: float, *, late: bool) -> Leg | None:
    """The first leg that failed, or that is not done in time; None if all are done. ``late``: the time is over."""
    wrong = next((leg for leg in every if leg.failed), None)
    missing = next((leg for leg in every if not leg.done), None)
    if wrong is not None or missing is None:
        return wrong
    return missing._replace(outcome=f"{missing.outcome} (after {within_seconds:g} s)") if late else missing
