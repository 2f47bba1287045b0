"""compose.yaml run without Docker: each service in namespaces of its own, with its own environment, user and folders.

Its images are not here: a service finds this machine's programs under a root of its own, laid over the machine's.
What cannot be had so: the images' own files, and their users' numbers. `tests/containers/test_containers.py` uses it.
"""
