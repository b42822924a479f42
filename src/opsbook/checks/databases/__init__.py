"""Asking databases: a session that can only read, and the numbers that are worth watching.

What belongs here: PostgreSQL's and SQLite's sessions for looks, and one small SQL for each
ready-made number. What does not: fields and bands (``kinds.sql``), and steps, which run in
processes of their own (``runs``). Only `postgresql` imports the driver, and is itself imported by
the first look.
"""
