"""The simulator answers as the real API does, so that the real client cannot tell."""

from collections.abc import Iterator

import pytest
import requests

from stations.feeds.cities import LIVE
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import PollFailed
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from stations.simulator import Simulator, serve, start_in_process


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    running = serve(port=0, seed=7)
    yield running
    running.close()


def ask(simulator: Simulator, path: str, **query: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{simulator.url}/vls/{path}", params={"apiKey": "any"} | query, timeout=5)


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_our_own_client_reads_all_stations_and_finds_nothing_bad(simulator: Simulator, version: str):
    feed = JCDecauxFeed(base_url=f"{simulator.url}/vls/{version}", key="any")

    fetched = feed.fetch()
    feed.close()

    assert len(fetched.readings) == sum(contract.stations for contract in LIVE)
    assert not fetched.bad


def test_our_own_client_reads_one_contract_and_the_list_of_them(simulator: Simulator):
    feed = JCDecauxFeed(base_url=f"{simulator.url}/vls/v3", key="any", contract="Toyama")

    assert {reading.state.contract for reading in feed.fetch().readings} == {"toyama"}
    assert [contract.name for contract in feed.contracts()] == [contract.name for contract in LIVE]
    feed.close()


def test_our_own_client_without_a_key_is_told_what_to_do(simulator: Simulator):
    feed = JCDecauxFeed(base_url=f"{simulator.url}/vls/v3")

    with pytest.raises(PollFailed) as failed:
        feed.fetch()
    feed.close()

    assert failed.value.reason == Failure.KEY_REFUSED


def test_one_station_is_found_by_its_number_within_its_contract(simulator: Simulator):
    listed = ask(simulator, "v1/stations", contract="lund").json()

    assert ask(simulator, f"v1/stations/{listed[0]['number']}", contract="lund").json()["name"] == listed[0]["name"]
    assert ask(simulator, "v1/stations/999999", contract="lund").status_code == 404
    assert ask(simulator, f"v1/stations/{listed[0]['number']}").status_code == 404


def test_in_a_server_process_it_answers_where_the_settings_say(settings, server):
    port = server.url.split(":")[2].split("/")[0]
    server.close()
    settings.SIMULATOR_URL = f"http://127.0.0.1:{port}"
    settings.SIMULATOR_SEED = 7

    simulator = start_in_process()

    assert ask(simulator, "v1/stations", contract="lund").json()[0]["contract_name"] == "lund"
    assert simulator.url == settings.SIMULATOR_URL
    simulator.close()
