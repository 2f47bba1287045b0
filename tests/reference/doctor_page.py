"""Makes `docs/reference/doctor.md` of the doctor's rules."""

from eventbus.doctor import broker_rules, client_rules, database_rules, site_rules, topic_rules
from eventbus.doctor.facts import Rule
from tests.reference.tables import ROOT

PAGE = ROOT / "docs/reference/doctor.md"
PARTS = {
    "broker": "The brokers",
    "topic": "The topics",
    "producer": "The relay's client",
    "consumer": "The clients of groups",
    "client": "Both clients",
    "postgresql": "PostgreSQL",
    "sqlite": "SQLite",
    "clock": "The clocks",
    "site": "The site",
    "proxy": "The proxy",
    "outbox": "The outbox",
    "disk": "The disks",
}
HEAD = """# The doctor

This page is for operators. After reading it you know every rule of `manage.py eventbus doctor`: the danger, the remedy,
and where the manual explains the setting. `make reference` writes this page.

A finding has the id of its rule, and names the setting with its value. What the doctor cannot ask, such as a broker
that does not answer, it names as not seen.
"""


def rules() -> dict[str, Rule]:
    """All rules by id."""
    modules = (broker_rules, client_rules, database_rules, site_rules, topic_rules)
    found = [one for module in modules for one in vars(module).values() if isinstance(one, Rule)]
    return {one.id: one for one in found}


def page() -> str:
    """The whole page."""
    text = HEAD
    for part, title in PARTS.items():
        own = [one for one in rules().values() if one.id.partition(".")[0] == part]
        text += f"\n## {title}\n\n| rule | danger | remedy | source |\n|---|---|---|---|\n"
        text += "".join(f"| `{one.id}` | {one.why} | {one.remedy} | {_link(one.source)} |\n" for one in own)
    return text


def _link(source: str) -> str:
    name, _colon, address = source.partition(": https://")
    return f"[{name}](https://{address})" if address else source
