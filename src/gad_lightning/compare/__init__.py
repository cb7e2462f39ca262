"""Compares variants of runs: many configs with many seeds in processes of their own, tables, intervals and tests."""
