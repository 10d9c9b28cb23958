"""A copy of what is on record about a family, for people (one page) and for machines (JSON). Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    """Records of one kind."""

    title: str
    explanation: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Copy:
    """Everything that is held."""

    school: str
    about: Sequence[str]
    made_at: datetime
    sections: Sequence[Section]
    letters: Sequence[tuple[str, str]]
    """Mailbox and the mail server's identifier of each letter."""

    def as_json(self) -> str:
        """For machines."""
        return json.dumps(
            {
                "school": self.school,
                "about": list(self.about),
                "made_at": self.made_at.isoformat(),
                "sections": [
                    {"title": each.title, "explanation": each.explanation, "rows": [dict(row) for row in each.rows]}
                    for each in self.sections
                ],
            },
            indent=2,
            ensure_ascii=False,
        )

    def as_html(self) -> str:
        """For people: one page without scripts, to read or to print."""
        page = Environment(autoescape=True).from_string(_PAGE)
        return page.render(copy=self, made=f"{self.made_at:%Y-%m-%d %H:%M}")


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Records held by {{ copy.school }}</title>
<meta name="viewport" content="width=device-width"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin:2rem 0 .2rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.6rem 0;padding:.6rem .8rem}
dl{background:#f4f5f7}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere}@media print{dl{background:none;border:1px solid #ccc}}
</style></head><body>
<h1>Records held by {{ copy.school }}</h1>
<p>About {{ copy.about|join(", ") }}. Made on {{ made }}.</p>
<p>This is everything that Alliance Inbox has on record. It keeps no text of any letter: letters are in the mailboxes of
the teachers, and the school can hand out copies of them. Records of other families are not in here, nor is who of the
staff looked at what. Backups of the record may hold the same once more, until they are deleted.</p>
{% for section in copy.sections %}<h2>{{ section.title }} ({{ section.rows|length }})</h2>
{% if section.explanation %}<p>{{ section.explanation }}</p>{% endif %}
{% for row in section.rows %}<dl>
{% for name, value in row.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}
</dl>
{% endfor %}{% else %}<p>Nothing is on record.</p>{% endfor %}
</body></html>
"""
