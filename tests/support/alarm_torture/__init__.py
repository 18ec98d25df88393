"""What alarms promise, tried with real receivers that are killed at random: see `__main__`."""
