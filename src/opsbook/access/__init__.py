"""Who somebody is, what they may do, and who has to agree.

Belongs here: accounts and how they sign in (passwords, one-time links, sessions), tokens for
programs, the permissions that a book's roles give, and approvals: who may approve what, who is
excluded, quorum and expiry. Every transition is audited in its own transaction.

Does not belong here: cookies, forms and HTTP answers (``web``), what is approved (``runs`` binds
an approval to a revision and parameters by a hash), and who is on duty (``people``). A person is in
the book and an account is in the database; they meet by the login alone, so that a book can be run
elsewhere and an account outlives a book.
"""

from opsbook.access.principal import Principal

__all__ = ["Principal"]
