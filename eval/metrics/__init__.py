"""Metrics of surfaces, occupancies and images; every convention is in the name."""
