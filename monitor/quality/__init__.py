"""How well the monitor does in operation: rates, drift and completeness."""
