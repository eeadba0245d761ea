"""What can go wrong with data. Every message names the file and what to do next."""


class DataError(RuntimeError):
    """Data could not be provided."""


class DataUnavailable(DataError):
    """The real files are not on this machine and cannot be downloaded now."""


class CorruptData(DataError):
    """A file is there, but it is not what the catalogue says it should be."""


class NoImage(DataError):
    """A file is what it should be, but holds no image."""


class Leakage(DataError):
    """Features hold something that was not known at the index time."""
