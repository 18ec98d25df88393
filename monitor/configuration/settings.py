"""The sections and keys of config.toml with their defaults and bounds; the sample file has them all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.configuration.alarm_settings import Alarms as Alarms  # other packages know the sections by this module
from monitor.configuration.checks import (
    different_names,
    hole_ranges,
    known_time_zone,
    plain_path,
    resolvable_path,
    rows_of_holes,
    time_of_day,
    windows_in_days,
)
from monitor.configuration.environment import ENVIRONMENT_PREFIX, EnvironmentSource
from monitor.configuration.names import (
    DEFAULT_IGNORED,
    DEFAULT_NAME_PATTERN,
    DEFAULT_TIME_FORMAT,
    checked_ignored_names,
    checked_name_pattern,
    checked_time_format,
)
from monitor.configuration.section import Folder, OptionalFolder, Section
from monitor.configuration.web_settings import Web

SQLITE: Final = "sqlite:///"

# How the decisions of several models on one crop become one; `monitor.scoring.vote` has the formulas.
Decide = Literal["primary", "any", "all", "majority", "rank-mean"]


class Plant(Section):
    """``[plant]``: what applies to the whole site."""

    time_zone: Annotated[str, AfterValidator(known_time_zone)] = "UTC"
    rows: Annotated[tuple[str, ...], AfterValidator(rows_of_holes)] = ()


class Paths(Section):
    """``[paths]``: folders, relative to the folder of the configuration file."""

    inbox: Folder = Path("inbox")
    state: Folder = Path("state")
    labelled: OptionalFolder = Path("labelled")
    quarantine: OptionalFolder = None
    archive: OptionalFolder = None


class Crops(Section):
    """``[crops]``: which files are accepted and what their names say."""

    name_pattern: Annotated[str, AfterValidator(checked_name_pattern)] = DEFAULT_NAME_PATTERN
    time_format: Annotated[str, AfterValidator(checked_time_format)] = DEFAULT_TIME_FORMAT
    ignore: Annotated[tuple[str, ...], AfterValidator(checked_ignored_names)] = DEFAULT_IGNORED
    max_bytes: int = Field(20_000_000, ge=1, le=2**31 - 1)
    # Pillow opens nothing larger, whatever is set here.
    max_pixels: int = Field(16_777_216, ge=64, le=178_956_970)


class Inbox(Section):
    """``[inbox]``: what happens to a file once its decision is committed."""

    after: Literal["keep", "delete", "archive"] = "keep"


class Watch(Section):
    """``[watch]``: how the daemon finds complete and new files."""

    scan_seconds: float = Field(5.0, gt=0, le=3600)
    settle_seconds: float = Field(1.0, ge=0, le=60)
    give_up_seconds: float = Field(30.0, gt=0, le=86400)


class Pipeline(Section):
    """``[pipeline]``: batches and queues."""

    workers: int = Field(0, ge=0, le=4096)
    batch_size: int = Field(512, ge=1, le=4096)
    queue_size: int = Field(1024, ge=1, le=1_000_000)
    seconds_per_crop: float = Field(10.0, ge=0.1, le=3600)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    runtime: Literal["auto", "torch", "onnx"] = "auto"


class Training(Section):
    """``[training]``: what applies to the training of every detector."""

    validation_share: float = Field(0.2, gt=0, lt=1)
    seed: int = Field(0, ge=0, le=2**32 - 1)


class Calibration(Section):
    """``[calibration]``: how thresholds are chosen, when, and what guards a change."""

    rule: str = "quantile-midpoint"
    fallback_rule: str = "normal-quantile"
    nightly: bool = True
    at: Annotated[str, AfterValidator(time_of_day)] = "03:00"
    half_life_days: float = Field(30.0, ge=0, le=36500)
    event_gap_seconds: float = Field(600.0, gt=0, le=86400)
    minimum_proliv: int = Field(20, ge=1, le=1_000_000)
    minimum_normal: int = Field(100, ge=1, le=1_000_000)
    minimum_events: int = Field(3, ge=1, le=1_000_000)
    tpr_tolerance: float = Field(0.02, ge=0, le=1)
    tnr_tolerance: float = Field(0.05, ge=0, le=1)
    most_proliv_lost: float = Field(0.05, ge=0, le=1)
    most_ne_proliv_lost: float = Field(0.05, ge=0, le=1)
    one_action_labels: int = Field(10, ge=1, le=1_000_000)
    largest_jump: float = Field(0.5, gt=0)
    flood_labels: int = Field(500, ge=1, le=1_000_000)
    shadow: bool = False
    shadow_days: float = Field(3.0, gt=0, le=365)


class Learning(Section):
    """``[learning]``: whether and how a detector that learns from proliv learns from labels."""

    enabled: bool = False
    retrain_at: Annotated[str, AfterValidator(time_of_day)] = "03:30"
    data: OptionalFolder = None
    minimum_labels: int = Field(20, ge=1, le=1_000_000)
    shadow_days: float = Field(7.0, ge=0, le=365)
    made_up_tolerance: float = Field(0.005, ge=0, le=1)


class Quality(Section):
    """``[quality]``: the windows over which TPR and TNR in operation are shown."""

    window_days: Annotated[tuple[float, ...], Field(min_length=1, max_length=5), AfterValidator(windows_in_days)] = (
        1.0,
        7.0,
        30.0,
    )


class Drift(Section):
    """``[drift]``: when scores count as having moved since the calibration."""

    baseline_hours: int = Field(48, ge=8, le=2000)
    recent_hours: int = Field(1, ge=1, le=168)
    least_crops: int = Field(20, ge=2, le=1_000_000)
    false_alarm_days: float = Field(30.0, gt=0, le=36500)


class Completeness(Section):
    """``[completeness]``: which holes should give a crop in every interval."""

    interval_seconds: int = Field(0, ge=0, le=86400)
    late_seconds: int = Field(60, ge=0, le=86400)
    window_hours: float = Field(24.0, gt=0, le=168)
    learn_days: float = Field(7.0, gt=0, le=60)
    cameras: Annotated[dict[str, str], AfterValidator(hole_ranges)] = Field(default_factory=dict)


class Decision(Section):
    """``[decision]``: which detectors decide, the primary first, and how their decisions become one."""

    detectors: Annotated[tuple[str, ...], AfterValidator(different_names)] = ()
    decide: Decide = "primary"


class Database(Section):
    """``[database]``: where everything is stored."""

    url: SecretStr = SecretStr("")
    busy_seconds: float = Field(30.0, ge=0, le=600)

    @field_validator("url")
    @classmethod
    def _supported(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        # Not urlsplit, because its errors quote the password.
        if url and not re.match(r"sqlite:///.|postgresql(\+psycopg)?://", url):
            raise ValueError("must be empty, or begin with sqlite:///path or postgresql://")
        if url.startswith(SQLITE):
            plain_path(url.removeprefix(SQLITE))
            resolvable_path(Path(url.removeprefix(SQLITE)))
        return value


class Store(Section):
    """``[store]``: how long decisions are kept."""

    keep_days: float = Field(0.0, ge=0, le=36500)
    at: Annotated[str, AfterValidator(time_of_day)] = "04:00"


class Metrics(Section):
    """``[metrics]``: the daemon's endpoint for Prometheus."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(9464, ge=0, le=65535)
    certificate: OptionalFolder = None
    key: OptionalFolder = None
    holes: int = Field(256, ge=0, le=10_000)

    @model_validator(mode="after")
    def _both_or_none(self) -> Metrics:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together; give both, or none for plain HTTP")
        return self


class Alerts(Section):
    """``[alerts]``: the bounds of the alerting rules that `monitor deploy prometheus` writes, and their runbooks."""

    tpr_target: float = Field(0.9, ge=0, le=1)
    tnr_target: float = Field(0.9, ge=0, le=1)
    latency_seconds: float = Field(10.0, gt=0, le=3600)
    backlog_seconds: float = Field(300.0, gt=0, le=86400)
    silent_seconds: float = Field(900.0, gt=0, le=604800)
    pause_seconds: float = Field(7200.0, gt=0, le=604800)
    calibration_days: float = Field(3.0, gt=0, le=365)
    acknowledge_seconds: float = Field(900.0, gt=0, le=604800)
    selftest_hours: float = Field(0.0, ge=0, le=8760)
    runbooks: str = ""


class Logging(Section):
    """``[logging]``: the program's own messages on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """All settings; ``rules`` and ``detectors`` hold a section for each plug-in, checked by the plug-in."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    plant: Plant = Plant()
    paths: Paths = Paths()
    crops: Crops = Crops()
    inbox: Inbox = Inbox()
    watch: Watch = Watch()
    pipeline: Pipeline = Pipeline()
    training: Training = Training()
    calibration: Calibration = Calibration()
    learning: Learning = Learning()
    decision: Decision = Decision()
    quality: Quality = Quality()
    drift: Drift = Drift()
    completeness: Completeness = Completeness()
    database: Database = Database()
    store: Store = Store()
    alarms: Alarms = Alarms()
    metrics: Metrics = Metrics()
    web: Web = Web()
    alerts: Alerts = Alerts()
    logging: Logging = Logging()
    rules: dict[str, dict[str, Any]] = Field(default_factory=dict)
    detectors: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def keeps_too_short(self, keep_days: float) -> str | None:
        """Why crops cannot be deleted after this many days: something looks back further. None if they can."""
        calibration, completeness = self.calibration, self.completeness
        if not keep_days:
            return None
        if not calibration.half_life_days:
            return (
                "decisions cannot be deleted if calibration.half_life_days is 0, because thresholds are then chosen "
                "from all traffic there ever was; set a half-life, or keep everything (0)"
            )
        looks_back = {
            "quality.window_days": max(self.quality.window_days),
            "calibration.half_life_days": calibration.half_life_days,
            "calibration.shadow_days": calibration.shadow_days if calibration.shadow else 0.0,
            "learning.shadow_days": self.learning.shadow_days if self.learning.enabled else 0.0,
            "completeness.learn_days and window_hours": completeness.learn_days + completeness.window_hours / 24,
            "the week by which rules count false alarms": 7.0,
        }
        key, days = max(looks_back.items(), key=lambda item: item[1])
        if keep_days >= days:
            return None
        return f"{keep_days:g} days are too few: {key} looks back {days:g} days; keep at least as many, or all (0)"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, whose content is passed to the constructor."""
        return EnvironmentSource(settings_cls), init_settings
