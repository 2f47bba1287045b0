"""The system checks of `manage.py check`: settings, events, groups, and where handlers are written."""
