"""Drift: whether scores are still where they were when the threshold was chosen."""
