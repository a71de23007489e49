"""Regimes: in which state a market is, how sure that is and why; causal, and unknown where it cannot be known."""
