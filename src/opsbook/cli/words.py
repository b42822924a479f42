"""Every sentence the command line says by itself, in one place.

English; another language is another module with the same names. Constants only: this module is
imported for ``--help``. Sentences about what happened (audit entries) come from the server.
"""

ABOUT = "Runs a team's operations guide: checks, alerts, incidents, runbooks, evidence."
EPILOG = "Start with `opsbook up books/starter`. Every command takes --help."
COMMANDS = "Commands"
DEBUG = "Show the trace of an error."

ROOT = {
    "up": "Run books: start the server and follow what happens.",
    "validate": "Read books and name everything that is wrong with them.",
    "run": "Start a runbook and follow it.",
    "runs": "List, follow and answer runs.",
    "checks": "Show what the checks see.",
    "incidents": "List and answer incidents.",
    "audit": "Read and verify the audit chain.",
    "version": "Show the version.",
}
RUNS = {
    "list": "List runs, newest first.",
    "show": "Show a run and its steps.",
    "logs": "Show what a run's steps wrote.",
    "approve": "Approve the step that a run waits with.",
    "reject": "Reject the step that a run waits with.",
    "confirm": "Say that a manual step is done.",
    "decide": "Decide what becomes of an interrupted step.",
    "cancel": "Cancel a run.",
}
INCIDENTS = {
    "list": "List incidents that are not resolved.",
    "show": "Show an incident, its alerts, pages and timeline.",
    "ack": "Say that you are on it: paging stops.",
    "resolve": "Declare an incident over.",
}
AUDIT = {
    "list": "List audit entries, newest first.",
    "verify": "Check every entry against the sealed chain.",
}

# Options that several commands share.
OUTPUT_FORMAT = "How to answer: for people, or for scripts."
DATA = "The server's data folder (OPSBOOK_DATA)."
BOOK = "Only this book."
BOOK_OF_RUNBOOK = "The book, where more than one has this runbook."
STEP = "The step, where more than one waits."
NOTE = "A sentence for the timeline."
REASON = "Why, for the timeline."
PARAM = "A parameter of the runbook; may be repeated."
FOLLOW_RUN = "Show steps and output as they come."
WAIT = "Go on until the run has ended, through everything it waits for."
KEY = "Start at most one run with this key, however often this is called."
FOLLOW_LOGS = "Go on until the run has ended."
ONE_STEP = "Only this step."
STATE = "Only runs in this state; may be repeated."
ALL_INCIDENTS = "Also those that are resolved."
THREAD = "Only one story, such as incident:12 or run:5."
AFTER = "Only those newer than this id."
LIMIT = "How many at most."
BEFORE = "Only those older than this id."

# Failure.
INTERRUPTED = "Interrupted."
BUG = "This is a bug in Opsbook: {error}"
BUG_LOG = "The trace is in {log}; --debug shows it here."
NOT_RUNNING = "No Opsbook is running (data folder {data})."
START_ONE = (
    "Start one with `opsbook up books/starter`; for one with another data folder "
    "set OPSBOOK_DATA or --data, for one elsewhere OPSBOOK_URL and OPSBOOK_TOKEN."
)
NO_ANSWER = "No Opsbook is running at {url}: {why}."
BAD_URL = "OPSBOOK_URL is {url!r}, which is no address of a server."
BAD_URL_REMEDY = "Write it as http://HOST:PORT or https://HOST."
NO_TOKEN = "OPSBOOK_URL names {url}, and OPSBOOK_TOKEN is not set."
NO_TOKEN_REMEDY = "Make a token on the profile page of that Opsbook and put it into OPSBOOK_TOKEN."
TOKEN_UNREADABLE = "The local token {file} cannot be read: {why}."
OTHER_USER = "The server belongs to another user; set OPSBOOK_TOKEN to a token of your own."
NO_OPSBOOK = "{url} answered with HTTP {status}, which is no answer of Opsbook's."
NO_OPSBOOK_REMEDY = "Check that the address names an Opsbook and not a proxy or another program."
BAD_PARAM = "{given!r} is no parameter; write NAME=VALUE."
PARAM_TWICE = "The parameter {name!r} is given twice."

# validate
BOOK_FINE = "{title} · {counts}"
VALID_BAD = "{problems} in {books}."

# up
UP_DATA_OPTION = "Where the server keeps its database, keys and log (OPSBOOK_DATA)."
UP_LISTEN_OPTION = "Where to listen (OPSBOOK_LISTEN; 127.0.0.1:8420). Port 0 takes any free one."
UP_DATABASE_OPTION = (
    "postgresql://… or sqlite:////path (OPSBOOK_DATABASE; a file in the data folder)."
)
UP_READING = "Reading {books} …"
UP_STARTING = "Starting …"
BOOK_WORD, WATCHES_WORD, DATA_WORD, STEPS_WORD = "book", "watches", "data", "steps"
NETWORK_WORD, SIGN_IN_WORD = "network", "sign in"
UP_BOOK = "{id}: {title} · revision {revision}"
UP_MORE = " and {n} more"
UP_DATA = "{data}"
UP_DATABASE = "{data}, database on {database}"
UP_STEPS_OTHER = "run as the user {user}, who cannot read the data folder"
UP_STEPS_SELF = "run as {user}, the user of this server: whoever can edit the book owns this server"
UP_STEPS_ROOT = (
    "run as {user}: whoever can edit the book owns this machine (name another in OPSBOOK_STEP_USER)"
)
UP_EXPOSED = "other machines can reach {host}, and nothing is encrypted: put a TLS proxy in front"
UP_LINK = "{link} (once, within 24 hours)"
UP_PARKED = "{kind} of {subject} could not be handled by {consumer} and is tried again: {error}"
UP_LEFT_OUT = "{n:,} lines were left out, since nobody read them; the audit has them."
UP_STOP_HINT = "Ctrl-C stops."
UP_STOPPING = "Stopping … (Ctrl-C again to leave at once)"
UP_STOPPED = "Stopped."
UP_FORCED = "Left at once; steps that were running are found again at the next start."
UP_START_STOPPED = "Stopped before the start was done."
NOTHING_STARTED = "{problems}; nothing was started."
PORT_HELD = "{host}:{port} is taken by {holder}."
PORT_TAKEN = "{host}:{port} is taken by another program."
PORT_REMEDY = "Stop it, or listen elsewhere: --listen {host}:{other} (OPSBOOK_LISTEN)."

# run, runs
RUN_STARTED = "run {id} · {title} · {url}"
RUN_ENDED = "{glyph} run {id} {state} after {took}"
WAITS_APPROVAL = "waits for approval by {role}: {step}"
WAITS_PERSON = "waits for {role}: {step}"
WAITS_DECISION = "waits for a decision: {step} was interrupted"
WAITS_CHECK = "waits until the check holds: {step}"
WAITS_OTHER = "waits: {step}"
ANSWER_APPROVAL = "opsbook runs approve {id} --step {key}   (or reject)"
ANSWER_PERSON = "opsbook runs confirm {id} --step {key}"
ANSWER_PAGE = "with OPSBOOK_TOKEN set to a personal token, or at {page}"
ANSWER_DECISION = "opsbook runs decide {id} retry|skip|fail --step {key}"
LEFT, OVER = "{time} left", "{time} over"
ATTEMPT = " (attempt {n})"
ANYBODY = "somebody who may"
NO_RUNS = "No runs. Start one with `opsbook run RUNBOOK`."
NO_OUTPUT = "No output."
APPROVED = "● run {id}: approved."
REJECTED = "● run {id}: rejected."
CONFIRMED = "● run {id}: confirmed."
DECIDED = "● run {id}: decided, {choice}."
CANCELLED = "‖ run {id} is being cancelled."

# checks
ALL_FINE = "{n} checks are fine."
ONE_FINE = "1 check is fine."
NO_CHECKS = "The book has no checks. They are written in checks.yaml."
NEEDS = "{bad} of {n} checks need a look."
NOT_YET = "{fine} {new} not looked yet."
NO_SUCH_CHECK = "There is no check {check!r}; `opsbook checks` lists them."
CHECK_IN_MORE = "More than one book has a check {check!r} ({books}); name one with --book."

# incidents
NO_INCIDENTS = "No open incidents."
NO_INCIDENTS_EVER = "No incidents yet. A rule that fires opens one."
ACKNOWLEDGED = "{glyph} incident {id} is yours; nobody else is paged."
RESOLVED = "{glyph} incident {id} is resolved."

# audit
NO_ENTRIES = "No audit entries."
HOLDS = "● The chain holds: {checked:,} entries under {seals:,} seals."
WAITING = "{waiting:,} newer entries wait for the next seal."
BROKEN = "■ The chain is broken in {places}; {checked:,} entries were checked."
FAULT = "  entry {entry} (number {seq}): {message}"
FAULT_GONE = "  number {seq}: {message}"


def plural(n: int, one: str, many: str | None = None) -> str:
    """Return ``1 rule``, ``3 rules``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
