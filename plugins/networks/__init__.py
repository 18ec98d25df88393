"""Networks of the built-in detectors, and what trains and runs them."""
