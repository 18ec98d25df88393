"""How well the monitor does in operation."""
