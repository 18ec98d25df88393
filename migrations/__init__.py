"""Alembic's migrations of the store; found inside the installed package."""
