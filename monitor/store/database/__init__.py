"""The database itself: schema, engine, upgrades and what all queries share."""
