"""From decoded occupancy to triangle meshes."""
