"""The nouns of trading: instrument, bar, order, fill, session. Values only; nothing here reads, decides or acts."""
