"""Fill rules: the fill model as the replay compiles it in, and constants that its parts share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from magellan.backtest import fill_model
from magellan.compiled import kernel_part

# Not literals: Numba compiles a function anew for every literal truth value that it is called with.
TRUE: Any = np.bool_(True)
FALSE: Any = np.bool_(False)
EPSILON: Final = 1e-9

stop_price = kernel_part(fill_model.stop_price)
limit_price = kernel_part(fill_model.limit_price)
slipped = kernel_part(fill_model.slipped)
on_tick = kernel_part(fill_model.on_tick)
whole_steps = kernel_part(fill_model.whole_steps)
commission = kernel_part(fill_model.commission)
