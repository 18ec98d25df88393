"""The store: what is remembered of every crop, model, score, calibration and label."""
