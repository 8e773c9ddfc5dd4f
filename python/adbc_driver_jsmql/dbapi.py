"""The driver as a module of DB-API 2.0."""

import adbc_driver_manager
import adbc_driver_manager.dbapi
from adbc_driver_manager.dbapi import *  # noqa: F403

from . import connect as _database


def connect(
    uri: str | None = None,
    *,
    db_kwargs: dict[str, str] | None = None,
    conn_kwargs: dict[str, str] | None = None,
) -> adbc_driver_manager.dbapi.Connection:
    """A connection, by a `jsm://` address or connection string, by options, or by both. It commits each statement: a site has no transactions."""
    database = _database(uri, db_kwargs)
    try:
        connection = adbc_driver_manager.AdbcConnection(database, **(conn_kwargs or {}))
        return adbc_driver_manager.dbapi.Connection(database, connection, conn_kwargs, autocommit=True)
    except Exception:
        database.close()
        raise
