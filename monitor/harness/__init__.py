"""The program run from outside, in a folder of its own: for benchmarks and trials."""
