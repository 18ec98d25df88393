"""The database itself: schema, connections, upgrades and what all queries share."""
