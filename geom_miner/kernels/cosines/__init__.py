"""Blocks as sums of few cosines: evaluation and the sparse fit, one signature for every backend.

A block's function is a sum of products of cosines of its local coordinate, one frequency along each
axis, with whole multiples of a step as coefficients. On the samples of the block that is an inverse
cosine transform (DCT-II, orthonormal), axis by axis.
"""
