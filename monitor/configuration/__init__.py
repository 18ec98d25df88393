"""The configuration: its sections, their checks, and how the file becomes settings."""
