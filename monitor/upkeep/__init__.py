"""Looking after what is stored: checks, backups, retention and the status."""
