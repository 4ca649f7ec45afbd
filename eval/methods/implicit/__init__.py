"""Surfaces as the zero set of a network: what IGR and PHASE have in common.

``networks`` and ``gradients`` hold the function, ``sampling`` the points at which it is trained,
``training`` the optimization, and ``level_set`` the extraction of its surface. ``method`` leads
from a cloud to a surface; IGR and PHASE add only their losses, their samples and their presets.
"""
