"""The regime workbook: one declarative schema of 31 sheets, what a filled-in one says, and what is wrong with it."""
