"""Alarms: events of holes are latched, told, acknowledged and closed."""
