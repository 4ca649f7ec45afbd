"""Image files to samples and back."""
