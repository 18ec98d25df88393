"""Pictures of trainings and measurements, and the HTML page that explains them; matplotlib is imported here alone."""

import logging

# Before it is imported: it tells of where it keeps its list of fonts, which nobody asked about.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
