"""The daemon: its service, its threads, its jobs and their schedule."""
