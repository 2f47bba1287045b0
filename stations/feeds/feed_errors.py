"""The reasons why polls fail, each with its remedy. They hold no values, so that pages can translate them."""

from enum import StrEnum

from stations.feeds.texts import gettext_noop as _


class Failure(StrEnum):
    KEY_NEEDED = _(
        "This feed answers only with a key: get one from developer.jcdecaux.com and set JCDECAUX_API_KEY, "
        "or set STATIONS_FEEDS=simulator."
    )
    KEY_REFUSED = _("The feed refused the request: the key is missing or wrong. Check JCDECAUX_API_KEY.")
    NOT_ENCRYPTED = _("A key is sent over https only: change the feed's address to https.")
    NO_ADDRESS = _("The feed's address is not one: it looks like https://host/vls/v3.")
    NOT_FOUND = _("The feed has no such page or contract: check the feed's address and the contract's name.")
    TOO_MANY = _("The feed wants fewer requests: make the interval longer.")
    REDIRECTED = _("The feed sends us elsewhere, which is not followed: check the feed's address.")
    THEIR_ERROR = _("The feed has an error of its own: nothing to do here but wait.")
    UNEXPECTED = _("The feed gave an unexpected answer: check the feed's address.")
    UNREACHABLE = _("The feed cannot be reached: check the network and the feed's address.")
    TOO_SLOW = _("The feed did not answer in time: wait, or look for what slows the network.")
    RESTING = _("The feed failed several times in a row: it is left alone for some seconds, then asked again.")
    BROKEN_OFF = _("The feed's answer broke off: nothing to do here but wait.")
    TOO_LARGE = _("The feed's answer is too large to be a list of stations: check the feed's address.")
    NOT_JSON = _("The feed's answer is not JSON, or only a part of it: check the feed's address.")
    NOT_A_LIST = _("The feed's answer is not a list: check the feed's address.")
    NOT_GBFS = _("The feed's answer is not a GBFS document: check the feed's address, which ends in gbfs.json.")
    NO_STATIONS = _("The system lists no stations: its feed may have free-floating vehicles only.")
    PRIVATE = _(
        "The feed's address is inside a private network: choose a public one, or set STATIONS_PRIVATE_FEEDS=true."
    )
    EMPTY = _("The feed listed no station: check the contract's name, or wait.")
    NOTHING_GOOD = _("Every row of the feed's answer was bad: look at the reasons beside it.")
    SHORTENED = _(
        "The feed's list is more than a fifth shorter than the last: it is believed once a second answer is the same."
    )
    OVERTAKEN = _("Another poller recorded the same stations meanwhile: run only one for each feed.")
    OUR_ERROR = _("The poll stopped on an error of our own: the log of the poller has it.")
