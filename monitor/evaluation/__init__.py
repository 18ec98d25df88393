"""Comparing detectors and rules on labelled crops."""
