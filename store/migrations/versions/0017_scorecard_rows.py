"""The scorecard keeps a row for each family, case and group of a term: its figures are made anew"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_MADE_ANEW = ("scorecard_family", "scorecard_case", "scorecard_incident", "scorecard_tally", "scorecard_week")


def upgrade() -> None:
    """Forward."""
    for table in _MADE_ANEW[:-1]:
        op.drop_table(table)
    op.create_table(
        "scorecard_family",
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("standings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("family", "term"),
    )
    op.create_index("ix_scorecard_family_term", "scorecard_family", ["term"])
    op.create_table(
        "scorecard_case",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.Column("school_days", sa.Integer(), nullable=True),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["conflict_case.id"]),
        sa.PrimaryKeyConstraint("case_id", "term"),
    )
    op.create_index("ix_scorecard_case_term", "scorecard_case", ["term"])
    op.create_table(
        "scorecard_incident",
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("baseline_day", sa.Date(), nullable=True),
        sa.Column("again_on", sa.Date(), nullable=True),
        sa.Column("recovered", sa.Boolean(), nullable=True),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"]),
        sa.PrimaryKeyConstraint("incident_id", "term"),
    )
    op.create_index("ix_scorecard_incident_student", "scorecard_incident", ["student"])
    op.create_index("ix_scorecard_incident_term", "scorecard_incident", ["term"])
    op.create_table(
        "scorecard_tally",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("term", "grouping", "key"),
    )
    op.create_table(
        "scorecard_withholding",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=True),
        sa.Column("rests_on", sa.String(), nullable=False),
        sa.Column("withheld", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("term"),
    )
    _count_again()
    # A program that knows these tables in their former shape cannot work with them.
    op.execute("UPDATE schema_floor SET revision = '0017'")


def downgrade() -> None:
    """Back."""
    op.drop_table("scorecard_withholding")
    for table in _MADE_ANEW[:-1]:
        op.drop_table(table)
    op.create_table(
        "scorecard_family",
        *_of_a_group(),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("enrolled", sa.Boolean(), nullable=False),
        sa.Column("positive_on", sa.Date(), nullable=True),
        sa.Column("written_on", sa.Date(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "family"),
    )
    op.create_index("ix_scorecard_family_family", "scorecard_family", ["family"])
    op.create_table(
        "scorecard_case",
        *_of_a_group(),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["conflict_case.id"]),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "case_id"),
    )
    op.create_index("ix_scorecard_case_case", "scorecard_case", ["case_id"])
    op.create_table(
        "scorecard_incident",
        *_of_a_group(),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("baseline_day", sa.Date(), nullable=True),
        sa.Column("again_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"]),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "incident_id"),
    )
    op.create_index("ix_scorecard_incident_student", "scorecard_incident", ["student"])
    op.create_table(
        "scorecard_tally",
        *_of_a_group(),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "monday", "measure"),
    )
    _count_again()
    op.execute("UPDATE schema_floor SET revision = '0014'")


def _of_a_group() -> tuple[sa.Column[str], ...]:
    """Fresh for each table: a column belongs to one."""
    return (
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
    )


def _count_again() -> None:
    """Nothing that the figures rest on is lost: the service counts them again, in small steps, when it next looks."""
    op.execute("DELETE FROM scorecard_week")
    op.execute("DELETE FROM scorecard_mark")
    op.execute("UPDATE scorecard_state SET version = version + 1, looked_at = NULL, settings = '', rests_on = ''")
