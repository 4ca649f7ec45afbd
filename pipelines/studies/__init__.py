"""Studies: what settings, targets and decoders are worth, measured and told in tables."""
