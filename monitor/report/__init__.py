"""Draws trainings and measurements, and writes the page that explains them; only this package imports matplotlib."""

import logging

# Before it is imported, because importing it logs where it keeps its list of fonts.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
