"""``python -m geom_miner`` is the command ``geom-miner``."""

from geom_miner.cli.main import main as main

if __name__ == "__main__":
    raise SystemExit(main())
