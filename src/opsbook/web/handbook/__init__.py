"""The book as a handbook one reads: what its pages show, worked out from the model itself.

Belongs here: which sections there are and how they are called (`shelf`, `names`), an element's
fields in words (`facts`, `special`), where a name leads and who uses it (`links`), how an element
stands at this moment (`live`), what became of it from revision to revision (`past`), and finding
things by words (`index`). Does not belong here: routes and permissions (``web.book`` and
``web.search``), and any decision: a page that had to decide something would show another truth
than the one that runs.

Fields are shown by walking the pydantic models, so that a new section or key of the book appears
without a line of code here; only its name in two languages is added in `names`.
"""
