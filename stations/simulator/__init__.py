"""A stand-in for JCDecaux's API: the same cities, invented stations, believable days. Knows no Django."""

from stations.simulator.server import Simulator, serve

__all__ = ["Simulator", "serve"]
