"""What people and programs touch: parse, call a use case, show. No decision is taken here."""
