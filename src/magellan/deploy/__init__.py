"""Deploy: what a roll-out is on any kind of target: steps, health, roll-back, freeze, promotion."""
