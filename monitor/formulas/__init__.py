"""Arithmetic only: rates and their intervals, weights, incidents."""
