"""Work kept apart from the program that asks for it; the package itself loads nothing heavy."""
