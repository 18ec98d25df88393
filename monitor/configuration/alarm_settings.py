"""The sections of config.toml about alarms, which `monitor.configuration.settings` puts together with the others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.configuration.checks import named_sinks
from monitor.configuration.section import OptionalFolder, Section

# The phases in which something is cast. While idle nobody is told of alarms, so they are recorded as [alarms] says.
CastingPhase = Literal["start", "steady", "end"]


class Cast(Section):
    """``[alarms.cast]``: where it is written which cast runs, and for how long that holds."""

    file: OptionalFolder = None
    maximum_age_seconds: float = Field(86400.0, gt=0, le=2_592_000)


class PhaseRule(Section):
    """``[alarms.phases.PHASE]``: what differs from ``[alarms]`` in a phase of the cast."""

    k: int | None = Field(None, ge=1, le=1000)
    n: int | None = Field(None, ge=1, le=10_000)
    within_seconds: float | None = Field(None, gt=0, le=86400)


class Selftest(Section):
    """``[alarms.selftest]``: in how many seconds everything has to arrive, and the crops that are sent."""

    within_seconds: float = Field(60.0, ge=1, le=3600)
    proliv_crop: OptionalFolder = None
    normal_crop: OptionalFolder = None


class Alarms(Section):
    """``[alarms]``: when proliv become an alarm, and when it ends."""

    k: int = Field(1, ge=1, le=1000)
    n: int = Field(1, ge=1, le=10_000)
    within_seconds: float = Field(10.0, gt=0, le=86400)
    pause_seconds: float = Field(60.0, gt=0, le=86400)
    ends: Literal["acknowledgement", "quiet"] = "acknowledgement"
    table_share: float = Field(0.5, gt=0, le=1)
    evidence_crops: int = Field(3, ge=0, le=100)
    unusual: bool = False
    cast: Cast = Cast()
    selftest: Selftest = Selftest()
    phases: dict[CastingPhase, PhaseRule] = Field(default_factory=dict)
    sinks: Annotated[dict[str, dict[str, Any]], AfterValidator(named_sinks)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _enough_decisions(self) -> Alarms:
        for phase in (None, *self.phases):
            k, n, _ = self.numbers_in(phase)
            if n < k:
                where = "" if phase is None else f"in the phase {phase}, "
                raise ValueError(f"{where}k = {k} proliv among n = {n} decisions cannot be; n must be at least k")
        return self

    def numbers_in(self, phase: str | None) -> tuple[int, int, float]:
        """k, n and within_seconds in a phase of the cast; None where it is not known."""
        own = next((rule for name, rule in self.phases.items() if name == phase), PhaseRule())
        return (
            self.k if own.k is None else own.k,
            self.n if own.n is None else own.n,
            self.within_seconds if own.within_seconds is None else own.within_seconds,
        )
