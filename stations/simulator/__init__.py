"""A stand-in for JCDecaux's API: the same cities, invented stations, believable days."""

from stations.simulator.server import Simulator, serve
from stations.simulator.simulator_process import start_in_process

__all__ = ["Simulator", "serve", "start_in_process"]
