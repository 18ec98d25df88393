"""Thresholds: their evidence, their choice, and when they change."""
