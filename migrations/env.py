"""Runs the migrations in the transaction and on the connection that monitor.store.database.upgrade hands over."""

from alembic import context

from monitor.store.database.schema import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations are run by: monitor db upgrade")

# The caller's transaction holds all migrations, so that a failed one leaves nothing behind.
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False, render_as_batch=True)
context.run_migrations()
