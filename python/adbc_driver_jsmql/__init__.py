"""The ADBC driver of jsmql: SQL for Jira Service Management."""

import pathlib

import adbc_driver_manager

__all__ = ["connect", "driver_path"]


def driver_path() -> str:
    """Where the driver is; driver managers of other languages can load it too."""
    folder = pathlib.Path(__file__).parent
    for name in ("libjsmql.so", "libjsmql.dylib", "jsmql.dll"):
        if (path := folder / name).exists():
            return str(path)
    raise FileNotFoundError(f"there is no driver in {folder}")


def connect(uri: str | None = None, db_kwargs: dict[str, str] | None = None) -> adbc_driver_manager.AdbcDatabase:
    """A database, by a `jsm://` address or connection string, by options, or by both."""
    options = dict(db_kwargs or {})
    if uri is not None:
        options["uri"] = uri
    return adbc_driver_manager.AdbcDatabase(driver=driver_path(), entrypoint="AdbcDriverInit", **options)
