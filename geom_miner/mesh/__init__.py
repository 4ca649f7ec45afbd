"""Triangle meshes: the data type, files, normalization, diagnosis."""
