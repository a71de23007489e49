"""The market that the paper exchange shows, as a function of the instant that is asked about.

market.py         the one door: bars, prices, quotes, sessions, instants, assets, halts, actions
bar_source.py     where bars come from
trading_hours.py  which session an instant lies in
trading_day.py    one day's bars laid into the spans in which they trade
live_bar.py       one whole bar and the path of the price through it
spread.py         which quote stands around a price
quote.py, asset.py, halt.py, instant.py    values
"""
