"""The writes of the stations, the schedule of polls, search and statistics."""
