"""Benchmarks: speed, growth with size, reproducibility, a comparison with Open3D."""
