"""Judge facts by all rules."""

from eventbus.doctor import broker_rules, client_rules, database_rules, site_rules, topic_rules
from eventbus.doctor.facts import Facts, Finding, Found
from eventbus.doctor.gathering import gather


def examine(facts: Facts | None = None) -> list[Finding]:
    """Return what endangers a promise, by part. Without facts, those of the running site are collected now."""
    return list(_findings(facts or gather()))


def _findings(facts: Facts) -> Found:
    if facts.clients:
        yield from client_rules.findings(facts.clients)
    if facts.log:
        yield from broker_rules.findings(facts.log, facts.clients)
        yield from topic_rules.findings(facts.log, facts.site.retention)
    if facts.postgresql:
        yield from database_rules.of_postgresql(facts.postgresql)
    if facts.sqlite:
        yield from database_rules.of_sqlite(facts.sqlite)
    yield from site_rules.findings(facts.site)
