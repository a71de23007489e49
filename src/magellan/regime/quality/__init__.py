"""Quality: how good labels are where the truth is known, and what they are worth where it is not."""
