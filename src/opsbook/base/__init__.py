"""clock, ids, quantities, errors, database, events, loops, secrets; knows no word of the trade.

What belongs here is what any long-running program needs and what every other package leans on.
What does not: a check, an alert, a person, a book. If a name in here would mean something to the
person on duty, it lives one floor up.
"""
