"""A stand-in for JCDecaux's API: the same cities, invented stations, believable days."""

from stations.simulator.process import start_in_process
from stations.simulator.server import Simulator, serve

__all__ = ["Simulator", "serve", "start_in_process"]
