"""From oriented points to a signed distance on a grid, without a mesh and without learning."""
