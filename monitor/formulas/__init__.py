"""Arithmetic alone: rates and their intervals, weights, events."""
