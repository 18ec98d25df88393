"""The inbox: watching it, tidying it, and what happens to files that failed."""
