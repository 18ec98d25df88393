"""Thresholds: what they are chosen from, by which rule, and how they change."""
