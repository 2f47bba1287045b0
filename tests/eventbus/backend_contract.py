"""What every backend owes its users. A test module subclasses `BackendContract` and adds nothing but the backend."""

from collections import Counter

from tests.eventbus.contract_audit_violations import WhatDoesNotBalanceIsNamed
from tests.eventbus.contract_batches import BatchesEnd, InBatches
from tests.eventbus.contract_bulk import DecidedInBulk
from tests.eventbus.contract_circuit_breaker import Brakes, TooEarlyIsNoFailure
from tests.eventbus.contract_dead_letters import KeptForOperators
from tests.eventbus.contract_deadly_effects import EffectsThatKill
from tests.eventbus.contract_delivery import NothingLostNothingInvented
from tests.eventbus.contract_delivery_audit import OnePlaceEach
from tests.eventbus.contract_dry_runs import ADryRunIsWhatFollows, ARunHasAnOperator
from tests.eventbus.contract_effects import EffectsAskedOnce
from tests.eventbus.contract_failed_alike import WhatFailedAlikeFollows
from tests.eventbus.contract_group_removal import AGroupThatIsGoneIsClosed, TheHouseIsKept, WhatAReplayNeedsStays
from tests.eventbus.contract_leases import OneAtATime
from tests.eventbus.contract_once import HandledOnce
from tests.eventbus.contract_order import OrderPerKey
from tests.eventbus.contract_outages import ABrokenWorldIsNotAPoisonEvent, DeploysWithoutDrama
from tests.eventbus.contract_parking import ParkTheKey
from tests.eventbus.contract_pause import StandsStillWhilePaused
from tests.eventbus.contract_poison import PoisonThatLooksLikeTheWorld
from tests.eventbus.contract_probes import NoMoreKeysThanOneCanLookAfter, Probes
from tests.eventbus.contract_prune import NothingGrowsForEver
from tests.eventbus.contract_publishing import ToldWithItsRows
from tests.eventbus.contract_publishing_handlers import PublishedByHandlers
from tests.eventbus.contract_relay import RelayedInOrder
from tests.eventbus.contract_repairs import WhatIsRepairedIsHandled
from tests.eventbus.contract_replay import ReplayChangesNothingElse, ReplayIsForProjections
from tests.eventbus.contract_replay_runs import ReplayIsHandledOnce
from tests.eventbus.contract_restores import TheDatabaseIsRestored
from tests.eventbus.contract_skips import ASkipIsWhatWasCounted
from tests.eventbus.contract_skips_undone import ASkipLosesNothing
from tests.eventbus.contract_standing import NothingTakesForEver
from tests.eventbus.contract_starts import BeginsAsDeclared
from tests.eventbus.contract_takeovers import TakenOver
from tests.eventbus.contract_unattended_replays import ReplaysThatNeedAnOperator, ReplaysThatNobodyWatches
from tests.eventbus.contract_watching import WatchedFromNowOn


class BackendContract(
    ToldWithItsRows,
    PublishedByHandlers,
    NothingLostNothingInvented,
    BeginsAsDeclared,
    RelayedInOrder,
    WatchedFromNowOn,
    HandledOnce,
    TakenOver,
    TheDatabaseIsRestored,
    InBatches,
    BatchesEnd,
    EffectsAskedOnce,
    EffectsThatKill,
    OrderPerKey,
    ParkTheKey,
    WhatFailedAlikeFollows,
    KeptForOperators,
    DecidedInBulk,
    Brakes,
    Probes,
    TooEarlyIsNoFailure,
    NoMoreKeysThanOneCanLookAfter,
    StandsStillWhilePaused,
    ReplayChangesNothingElse,
    ReplayIsForProjections,
    ReplayIsHandledOnce,
    ADryRunIsWhatFollows,
    ARunHasAnOperator,
    ReplaysThatNobodyWatches,
    ReplaysThatNeedAnOperator,
    ASkipIsWhatWasCounted,
    ASkipLosesNothing,
    WhatIsRepairedIsHandled,
    ABrokenWorldIsNotAPoisonEvent,
    PoisonThatLooksLikeTheWorld,
    NothingTakesForEver,
    DeploysWithoutDrama,
    OneAtATime,
    OnePlaceEach,
    WhatDoesNotBalanceIsNamed,
    NothingGrowsForEver,
    WhatAReplayNeedsStays,
    AGroupThatIsGoneIsClosed,
    TheHouseIsKept,
):
    """Every promise, for one backend."""

    def __init_subclass__(cls) -> None:
        """Refuse two cases of one name: one would hide the other, which would never run."""
        cases = Counter(name for theme in BackendContract.__mro__ for name in vars(theme) if name.startswith("test_"))
        twice = [name for name, times in cases.items() if times > 1]
        assert not twice, f"two themes of the contract have a case of one name; rename one: {', '.join(twice)}"
