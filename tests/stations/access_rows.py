"""Who may use the addresses, tables and sockets of the stations. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from eventbus import clock
from stations.alerts.mail import stop_key
from stations.models import Alert, PollRun, Station
from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, NO_METHOD, NOBODY, OWNER, SIGNED_IN, Desk, Form, Need, Route, permission


def an_alert(client: Client) -> Form:
    """The form of whoever has signed in, with a confirmed address: others get no alert."""
    if "_auth_user_id" in client.session:
        get_user_model().objects.get(pk=client.session["_auth_user_id"]).trust_email()
    return {"kind": "closed"}


ROUTES: dict[str, Route] = {
    "stations:dashboard": Route(get=ALL, parts=("?contract=lyon&q=a",)),
    "stations:state": Route(get=ALL, parts=("?contract=lyon",)),
    "stations:station": Route(get=ALL),
    "stations:feed": Route(get=ALL),
    "stations:gbfs": Route(get=ALL),
    "stations:gbfs-manifest": Route(get=ALL),
    "stations:rest:api-root": Route(get=ALL, leads_to=("stations:rest:openapi-json",)),
    "stations:rest:openapi-json": Route(get=ALL),
    "stations:rest:feeds": Route(get=ALL),
    "stations:rest:stations": Route(get=ALL),
    "stations:rest:station": Route(get=ALL),
    "stations:rest:unknown": Route(get=NOBODY),  # nothing is there
    "stations:history": Route(get=ALL),
    "stations:export": Route(get=ALL),
    "stations:city": Route(get=ALL),
    "stations:moment": Route(get=ALL, parts=("?at=1780000000",)),
    "stations:alerts": Route(get=SIGNED_IN),
    "stations:new_alert": Route(get=SIGNED_IN, post=SIGNED_IN, data=an_alert),
    "stations:stop_alert": Route(get=ALL, post=ALL),  # the key in the address decides
    "stations:alert": Route(get=OWNER, post=OWNER, data={"kind": "closed"}),
    "stations:pause_alert": Route(get=NO_METHOD, post=OWNER),
    "stations:delete_alert": Route(get=NO_METHOD, post=OWNER),
    "stations:producer": Route(get=permission("stations.view_pollplan")),
    "stations:steer": Route(get=NO_METHOD, post=permission("stations.change_pollplan"), data={"action": "stop"}),
    "stations:remark": Route(get=NO_METHOD, post=ALL, data={"message": "Hello"}),
    "stations:switch_remarks": Route(get=NO_METHOD, post=permission("stations.delete_remark"), data={"action": "open"}),
}

DESK: dict[str, Desk] = {
    "stations.station": Desk(
        actions={action: permission("stations.rule_station") for action in ("hold", "release")},
    ),
    "stations.stationruling": Desk(),
    "stations.stationhistory": Desk(),
    "stations.pollrun": Desk(),
    "stations.pollplan": Desk(),
    "stations.remarkbox": Desk(),
    "stations.remark": Desk(
        delete=permission("stations.delete_remark"),
        actions={"delete_selected": permission("stations.delete_remark")},
    ),
}

SOCKETS: dict[str, Need] = {
    "ws/stations/": ALL,
    "ws/producer/": permission("stations.view_pollplan"),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """A station of a feed that is in use and has been polled."""
    station, feed = sample_rows.row(Station), settings.STATIONS_FEEDS[0]
    PollRun.objects.create(feed=feed, started=clock.now(), ms=1, outcome=PollRun.Outcome.OK)
    named = {"feed": feed, "station_id": station.station_id, "contract": station.contract}
    rider = get_user_model().objects.get(email="customer@example.com")
    alert = sample_rows.row(Alert, owner=str(rider.pk), slot=1, feed=feed, station_id=station.station_id)
    named |= {"alert_id": alert.pk, "key": stop_key(alert.pk)}
    return named | {"version": "3.0", "document": "gbfs", "unknown": "bikes"}
