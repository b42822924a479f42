"""Who did what, when and why: the append-only record, sealed into a signed hash chain.

Belongs here: recording an entry in its cause's transaction, sealing committed entries in batches,
verifying, and reading a story (every entry of one thread) as the timeline people look at. Only
transitions are recorded; a repeated observation or a re-sent alert is a counter elsewhere.

Does not belong here: what an entry means. Actions are names such as ``incident.opened``; the trade
that wrote them also knows how to say them.
"""

from opsbook.audit.entries import SERVER, Actor, record
from opsbook.audit.notes import LONGEST_NOTE, note
from opsbook.audit.seal import Sealer
from opsbook.audit.verify import Verdict, verify

__all__ = ["LONGEST_NOTE", "SERVER", "Actor", "Sealer", "Verdict", "note", "record", "verify"]
