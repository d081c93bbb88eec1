"""Figures for benchmarks/README.md."""
