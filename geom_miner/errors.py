"""Errors that reach a user: one sentence each, saying what is wrong and what to do about it."""


class GeomMinerError(ValueError):
    """Root of every error that geom_miner raises on purpose."""


class MeshError(GeomMinerError):
    """A mesh file or mesh that cannot be used."""


class PointsError(GeomMinerError):
    """Points from which no surface can be made."""


class MediaError(GeomMinerError):
    """An image, video or array file that cannot be used."""


class BlockShapeError(GeomMinerError):
    """Shapes of blocks, grids or signals that do not fit together."""


class SettingsError(GeomMinerError):
    """A setting, preset or configuration file that cannot be used."""


class ModelFileError(GeomMinerError):
    """A model file that is foreign, damaged, cut short or newer than this program."""


class BackendUnavailable(GeomMinerError):
    """An optional package or device that a request needs and this machine lacks."""


class PluginError(GeomMinerError):
    """A command of another package that cannot be used."""


def missing_extra(need: str, extra: str, *, instead: str = "") -> BackendUnavailable:
    """The error to raise where an optional package cannot be imported.

    Parameters
    ----------
    need : who needs which package, such as "plots need matplotlib".
    extra : name of the extra in pyproject.toml that installs the package.
    instead : what works without the package, if anything does.
    """
    remedy = f'install it with: pip install "geom_miner[{extra}]"'
    return BackendUnavailable(f"{need}; {remedy}" + (f", or {instead}" if instead else ""))
