"""The features of the site: what each adds by being installed, and `manage.py startapp`, which makes a new one."""
