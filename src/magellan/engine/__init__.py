"""What a trading session does with an event: pure and synchronous. `usecases/run_session.py` drives it."""
