"""Named runs: find data, voxelize, fit, extract, evaluate."""
