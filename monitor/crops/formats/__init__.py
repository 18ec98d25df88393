"""A module for each accepted format: from bytes to pixels, or a refusal; and what several formats share."""
