"""The live state of the stations in one process, and the frames that browsers get."""
