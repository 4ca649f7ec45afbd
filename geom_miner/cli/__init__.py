"""The command line ``geom-miner``."""
