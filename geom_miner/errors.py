"""Errors for users: each message is one sentence that states the problem and its remedy."""


class GeomMinerError(ValueError):
    """Base class of every error that geom_miner raises on purpose."""


class MeshError(GeomMinerError):
    """A mesh file or mesh that cannot be used."""


class EmptySurfaceError(MeshError):
    """A signal without a surface, of which no mesh is written."""


class PointsError(GeomMinerError):
    """Points from which no surface can be made."""


class MediaError(GeomMinerError):
    """An image, volume or array file that cannot be used."""


class BlockShapeError(GeomMinerError):
    """Blocks, grids or signals whose shapes do not match."""


class SettingsError(GeomMinerError):
    """A setting, preset or configuration file that cannot be used."""


class ModelFileError(GeomMinerError):
    """A model file that is damaged, cut short, newer than this program, or no model file."""


class OutOfMemory(GeomMinerError):
    """Work that needs more memory than there is."""


class BackendUnavailable(GeomMinerError):
    """An optional package or device that is needed and that this machine lacks."""


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
