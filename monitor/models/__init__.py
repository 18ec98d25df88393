"""Models: their folders, their training, and asking them."""
