"""Pictures as arrays: framing, resizing and filters."""
