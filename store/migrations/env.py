"""Alembic's entry: runs the migrations on the connection that `store.database` hands over."""

from alembic import context
from sqlmodel import SQLModel

from store import (  # noqa: F401 - they fill SQLModel.metadata
    answer_tables,
    case_tables,
    caution_tables,
    contact_tables,
    digest_tables,
    erasure_tables,
    glow_tables,
    operating_tables,
    roster_tables,
    scorecard_tables,
    tables,
    web_tables,
    weekly_tables,
    worker_tables,
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
