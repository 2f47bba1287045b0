"""What every backend owes its users. A test module subclasses `BackendContract` and adds nothing but the backend."""

from collections import Counter

from tests.eventbus.contract.test_audit import (
    AGroupThatIsGoneIsClosed,
    NothingGrowsForEver,
    OnePlaceEach,
    TheHouseIsKept,
    WhatAReplayNeedsStays,
    WhatDoesNotBalanceIsNamed,
)
from tests.eventbus.contract.test_circuit_breaker import (
    Brakes,
    NoMoreKeysThanOneCanLookAfter,
    Probes,
    StandsStillWhilePaused,
    TooEarlyIsNoFailure,
)
from tests.eventbus.contract.test_dead_letters import DecidedInBulk, KeptForOperators, WhatIsRepairedIsHandled
from tests.eventbus.contract.test_effects import EffectsAskedOnce, EffectsThatKill
from tests.eventbus.contract.test_once import (
    BeginsAsDeclared,
    HandledOnce,
    OneAtATime,
    TakenOver,
    TheDatabaseIsRestored,
)
from tests.eventbus.contract.test_order import (
    OrderPerKey,
    ParkTheKey,
    PoisonThatLooksLikeTheWorld,
    WhatFailedAlikeFollows,
)
from tests.eventbus.contract.test_outages import (
    ABrokenWorldIsNotAPoisonEvent,
    BatchesEnd,
    DeploysWithoutDrama,
    InBatches,
    NothingTakesForEver,
)
from tests.eventbus.contract.test_publishing import (
    NothingLostNothingInvented,
    PublishedByHandlers,
    RelayedInOrder,
    ToldWithItsRows,
    WatchedFromNowOn,
)
from tests.eventbus.contract.test_replay_operators import (
    ADryRunIsWhatFollows,
    ARunHasAnOperator,
    ReplaysThatNeedAnOperator,
    ReplaysThatNobodyWatches,
)
from tests.eventbus.contract.test_replays import ReplayChangesNothingElse, ReplayIsForProjections, ReplayIsHandledOnce
from tests.eventbus.contract.test_skips import ASkipIsWhatWasCounted, ASkipLosesNothing


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
