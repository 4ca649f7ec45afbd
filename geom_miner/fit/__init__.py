"""Fitting a representation to a signal, coarse to fine."""
