"""What alarms were decided on, and what people have judged, is kept in the store byte for byte, whatever becomes of the
files."""
