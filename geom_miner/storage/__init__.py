"""The model file: versioned, checksummed, ordered coarse to fine."""
