"""From decoded samples to triangle meshes: isosurface, sharp edges, fewer triangles."""
