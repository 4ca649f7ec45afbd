"""Batches: methods by shapes by budgets, one process per cell, in a run that goes on."""
