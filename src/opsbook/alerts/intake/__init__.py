"""Alerts from outside: who may hand them in, how they are read, and that they are on disk.

Belongs here: who may hand in and how much (``doors``), one module for each sender's form
(``kinds``), the one form they are all brought into (``posted``) and its bounds (``cleaning``), and
accepting: a batch is a row before it is answered. Does not belong here: what becomes of an alert
(``alerts.pipeline``), and HTTP, which is the web's.
"""
