"""Components of the rule score: each reads bars and says, for one or two axes, what it makes of them."""
