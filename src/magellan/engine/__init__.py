"""What a trading session does with an event: pure and synchronous. The driver around it is `usecases/run_session.py`."""
