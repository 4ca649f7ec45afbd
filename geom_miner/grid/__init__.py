"""Signals on regular grids of any dimension: samples, blocks, sparse blocks, pyramids."""
