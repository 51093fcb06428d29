"""The database: the only place that imports peewee. Rows leave it as frozen dataclasses."""
