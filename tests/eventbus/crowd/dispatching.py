"""`python -m tests.eventbus.crowd.dispatching NAME`: dispatch or stand by, as a server process does, until killed."""

import sys

import django

if __name__ == "__main__":
    django.setup()
    from eventbus.dispatcher import Dispatcher

    dispatcher = Dispatcher()
    dispatcher._lease.owner = sys.argv[1]  # so that the lease tells the test which process leads
    dispatcher.run()
