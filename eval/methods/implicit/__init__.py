"""Surfaces as the zero set of a network: what IGR, PHASE and their like have in common.

``networks`` and ``gradients`` are the function, ``sampling`` where it is looked at, ``training``
how it is optimized, ``level_set`` how its surface is cut out, and ``reconstruction`` the way from
a cloud to a surface for which a method gives no more than its loss and its numbers.
"""
