"""The five benchmarks of the paper, read from their official annotations."""
