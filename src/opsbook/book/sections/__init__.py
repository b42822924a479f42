"""The sections of a book, one file each: what may be written under a top-level key.

Data and the small decisions that need nothing but that data. Nothing here reads a file, knows a
clock, or looks at another section; what ties sections together is `opsbook.book.validate`.
"""
