"""The built-in sinks: where messages about alarms go."""
