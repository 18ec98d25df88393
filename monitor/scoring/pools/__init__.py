"""Where reading and scoring run: in this process or in several."""
