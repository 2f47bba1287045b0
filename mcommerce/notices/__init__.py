"""Notices: a mail and a signed webhook to operators when a fault of the overview begins and when it ends."""
