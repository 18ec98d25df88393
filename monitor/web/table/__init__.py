"""The start page, and how it stays as things are."""
