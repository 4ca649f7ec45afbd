"""One module for each file format of images and samples.

A module lists its suffixes in any of three tables: ``IMAGE_READERS`` and ``IMAGE_WRITERS``, which
``geom_miner.media.images`` collects, and ``SAMPLE_WRITERS``, which ``geom_miner.media.samples``
collects. A format that is a folder also states in ``SAMPLE_FOLDERS`` what it holds.
"""
