"""The actions of `manage.py eventbus` that repair: decide about failed events, replay, redeliver, skip, mend a log."""
