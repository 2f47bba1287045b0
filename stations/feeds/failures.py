"""Why a poll fails, each with its remedy. Pages translate these sentences as they stand, so they hold no values."""

from enum import StrEnum


class Failure(StrEnum):
    KEY_NEEDED = (
        "This feed answers only with a key: get one from developer.jcdecaux.com and set JCDECAUX_API_KEY, "
        "or set STATIONS_FEEDS=simulator."
    )
    KEY_REFUSED = "The feed refused the request: the key is missing or wrong. Check JCDECAUX_API_KEY."
    NOT_ENCRYPTED = "A key is sent over https only: change the feed's address to https."
    NO_ADDRESS = "The feed's address is not one: it looks like https://host/vls/v3."
    NOT_FOUND = "The feed has no such page or contract: check the feed's address and the contract's name."
    TOO_MANY = "The feed wants fewer requests: make the interval longer."
    REDIRECTED = "The feed sends us elsewhere, which is not followed: check the feed's address."
    THEIR_ERROR = "The feed has an error of its own: nothing to do here but wait."
    UNEXPECTED = "The feed gave an unexpected answer: check the feed's address."
    UNREACHABLE = "The feed cannot be reached: check the network and the feed's address."
    TOO_SLOW = "The feed did not answer in time: wait, or look for what slows the network."
    BROKEN_OFF = "The feed's answer broke off: nothing to do here but wait."
    TOO_LARGE = "The feed's answer is too large to be a list of stations: check the feed's address."
    NOT_JSON = "The feed's answer is not JSON, or only a part of it: check the feed's address."
    NOT_A_LIST = "The feed's answer is not a list: check the feed's address."
    EMPTY = "The feed listed no station: check the contract's name, or wait."
    NOTHING_GOOD = "Every row of the feed's answer was bad: look at the reasons beside it."
    OVERTAKEN = "Another poller recorded the same stations meanwhile: run only one for each feed."
    OUR_ERROR = "The poll stopped on an error of our own: the log of the poller has it."
