"""From a triangle mesh to its occupancy on sparse blocks."""
