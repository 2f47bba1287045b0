"""`python -m benchmarks.handling_process`: a process of handlers for the ledger's group, until stopped."""

import django

if __name__ == "__main__":
    django.setup()
    from benchmarks.handling import GROUP
    from eventbus import registry
    from eventbus.processes.command_runner import handle_until_stopped

    handle_until_stopped([registry.groups[GROUP]])
