"""Point clouds, with or without normals: what scanners give and surface methods take."""
