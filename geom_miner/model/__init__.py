"""The representation: tiny MLPs per block and scale, and how they decode."""
