"""The forecast of the stations: written before the fact, scored by city and horizon, and shown on pages."""
