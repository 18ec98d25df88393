"""What a model is: where its threshold comes from, how it was trained, and what its detector says about itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from monitor.errors import PluginError
from monitor.models.folders import folder_of, training_report
from monitor.models.loader import ModelLoader
from monitor.registry import whose
from monitor.store import calibrations
from monitor.times import iso

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from monitor.api import Detector, FitReport
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.calibrations import CalibrationRow
    from monitor.store.models import ModelRow

# What is shown of a calibration's evidence; rates are those on the crops that the threshold was chosen from.
EVIDENCE: Final = (
    *("normal_crops", "proliv_crops", "proliv_events", "tpr", "tpr_low", "tpr_high", "tnr", "tnr_low", "tnr_high"),
    "roc_auc",
)


def as_dict(row: ModelRow) -> dict[str, Any]:
    """A model's row ready for JSON, without the evidence, which is long."""
    report = {**row._asdict(), "trained_at": iso(row.trained_at), "activated_at": iso(row.activated_at)}
    del report["evidence"]
    return report


def describe(connection: Connection, registry: Registry, configuration: Configuration, row: ModelRow) -> dict[str, Any]:
    """Load a model and describe it, ready for JSON; raises `ModelDamagedError` if it is not as it was trained."""
    calibration = calibrations.active(connection, row.id)
    detector, computed_by = ModelLoader(registry, configuration).load_with_runtime(row)
    return {
        "model": row.name,
        "detector": row.detector,
        "fingerprint": row.fingerprint,
        "folder": str(folder_of(configuration.models, row)),
        "trained_at": iso(row.trained_at),
        "active": row.active,
        "activated_at": iso(row.activated_at),
        "computed_by": computed_by,
        "threshold": row.threshold,
        "calibration": _calibration(calibration) if calibration else None,
        "training": _training(training_report(configuration.models, row)),
        "settings": row.settings,
        "details": _details(detector),
    }


def _details(detector: Detector) -> dict[str, Any]:
    """What a detector says about itself; raises `PluginError` where JSON cannot hold it."""
    details = detector.details()
    try:
        return dict(json.loads(json.dumps(details)))
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"the detector {detector.name!r}{whose(detector)}: its method details returned what JSON cannot hold: "
            f"{error}; update the package that it comes from"
        ) from error


def _calibration(row: CalibrationRow) -> dict[str, Any]:
    evidence = row.evidence
    return {
        "rule": row.rule,
        "rule_settings": row.settings,
        "fallback": row.fallback,
        "origin": row.origin,
        "created_at": iso(row.created_at),
        "data": evidence.get("data"),
        **{key: evidence.get(key) for key in EVIDENCE},
    }


def _training(report: FitReport) -> dict[str, Any]:
    """How long a model was trained, and its losses in the epoch that was kept; 0 epochs: not epoch by epoch."""
    kept = next((one for one in report.epochs if one.epoch == report.best_epoch), None)
    return {
        "epochs": len(report.epochs),
        "best_epoch": report.best_epoch,
        "train_loss": kept.train_loss if kept else None,
        "validation_loss": kept.validation_loss if kept else None,
    }
