"""What is kept in memory between requests, because asking for it anew each time would take too long."""
