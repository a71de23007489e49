"""Risk: limits on every order, breakers of an account, and the kill switch. Pure: state tables and arithmetic."""
