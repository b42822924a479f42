"""Errands: the small programs that do what ``http``, ``sql`` and ``promql`` steps ask for.

Each is a process of its own under the supervisor, like a script, so that intent, time limit, output
and outcome are the same for all steps. What belongs here: speaking with a service, and telling what
it said. What does not: reading the book's text, variables, secrets; that is done before, and the
errand gets an *order*, in which everything is decided.

**The order comes by stdin**, from a file in memory: it holds the credential, which must be in no
process list, in no environment and on no disk.

**The user.** These programs are ours and run by the server's own interpreter, which the steps' user
often cannot execute (a virtual environment in somebody's home). So they start as the server's user,
load what they need, and become the steps' user before they look up a name, open a file or read a
byte of an answer (`leaving.become`): groups, user and the right to take any of it back. They run no
text from the book and start no program while they are the server's user, and their environment is
fixed: one that a target could set would let whoever edits the book decide what is loaded (LD_…).
This is better than to start as the steps' user, too: the kernel lets no other process of that user
look into one that has changed its user (it is not *dumpable*), so another step finds neither the
credential in its memory nor the order on its stdin.

A server that is not root has nobody to become: its steps are the server's user, as ``opsbook up``
says, and no border is drawn here that is not there.

They import nothing of the house but each other (`__main__`): what an errand costs is the start of
Python and the modules it needs, 30 ms for ``http`` and SQLite.
"""
