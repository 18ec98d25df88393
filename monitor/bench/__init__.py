"""What `monitor bench` measures, each in a module: stages alone, `score`, the daemon, the reference, starting, memory.

Figures of one round belong together: the clock of a processor moves within minutes, so that what is compared takes
turns, and ratios are formed within a round. `monitor.bench.course` is the order of it all.
"""
