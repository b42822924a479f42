"""Every sentence the command line says by itself, in one place.

English; another language is another module with the same names. Constants only: this module is
imported for ``--help``. Sentences about what happened (audit entries) come from the server.
"""

ABOUT = "Runs a team's operations guide: checks, alerts, incidents, runbooks, evidence."
EPILOG = "Start with `opsbook up books/starter`. Every command takes --help."
COMMANDS = "Commands"
DEBUG = "Show the trace of an error."

ROOT = {
    "init": "Write a small commented book to start from.",
    "up": "Run books: start the server and follow what happens.",
    "validate": "Read books and name everything that is wrong with them.",
    "fmt": "Lay out a book's files in their one form.",
    "schema": "Write the JSON Schema that editors check a book with.",
    "plan": "Say what a book would change against what runs.",
    "run": "Start a runbook and follow it.",
    "runs": "List, follow and answer runs.",
    "checks": "Show what the checks see.",
    "alerts": "List alerts.",
    "silence": "Keep alerts quiet for a while.",
    "oncall": "Say who is on duty.",
    "incidents": "List and answer incidents.",
    "routes": "Say where an alert would go.",
    "export": "Write a book's alerting for Prometheus, Alertmanager and Grafana.",
    "import": "Carry a configuration over into a book.",
    "accounts": "List accounts and let people in.",
    "audit": "Read and verify the audit chain.",
    "version": "Show the version.",
}
RUNS = {
    "list": "List runs, newest first.",
    "show": "Show a run and its steps.",
    "logs": "Show what a run's steps wrote.",
    "approve": "Approve the step that a run waits with.",
    "reject": "Reject the step that a run waits with.",
    "withdraw": "Take your yes back while others are waited for.",
    "confirm": "Say that a manual step is done.",
    "decide": "Decide what becomes of an interrupted step.",
    "cancel": "Cancel a run.",
    "resume": "Go on with a failed run where it failed.",
    "rerun": "Start a run again, from a step on or from the beginning.",
    "takeover": "Look after a run from now on.",
    "comment": "Write something about a run into its story.",
    "attach": "Attach a file to a manual step.",
}
SILENCE = {
    "list": "List silences that hold or will.",
    "add": "Keep alerts with these labels quiet.",
    "expire": "End a silence now.",
}
INCIDENTS = {
    "list": "List incidents that are not resolved.",
    "show": "Show an incident, its alerts, pages and timeline.",
    "ack": "Say that you are on it: paging stops.",
    "resolve": "Declare an incident over.",
}
ACCOUNTS = {
    "list": "List accounts, and who has none.",
    "invite": "Make an account and a one-time link.",
    "link": "Make a new one-time link.",
    "disable": "Shut an account out.",
    "enable": "Let a disabled account in again.",
}
ROUTES = {
    "test": "Say which routes take an alert with these labels, and what keeps it quiet now.",
}
EXPORT = {
    "prometheus": "Write the rules in PromQL as a rule file, with promtool's tests.",
    "alertmanager": "Write routes, receivers and inhibitions as an alertmanager.yml.",
    "grafana": "Write dashboards for what the book asks a Prometheus.",
}
IMPORT = {
    "alertmanager": "Carry an alertmanager.yml over: routes, receivers, inhibitions, intervals.",
    "prometheus": "Carry Prometheus' alerting rules over.",
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
FROM_STEP = "The step to begin with; from the beginning, if left out."
FILE_NAME = "What the file is called there; its own name, if left out."
MEDIA_TYPE = "Its media type, such as image/png; by its name, if left out."
PARAM = (
    "A parameter of the runbook; may be repeated. A secret one is asked for, or read from "
    "NAME=@FILE or NAME=- (stdin)."
)
FOLLOW_RUN = "Show steps and output as they come."
WAIT = "Go on until the run has ended, through everything it waits for."
KEY = "Start at most one run with this key, however often this is called."
DRY_RUN = "Start nothing; show exactly what would happen. Exits with 1 if it must fail."
FOLLOW_LOGS = "Go on until the run has ended."
ONE_STEP = "Only this step."
STATE = "Only runs in this state; may be repeated."
BEHIND = "explained by {check}"
FLAPPING = "flapping"
ALL_ALERTS = "Also those that are over."
ALL_SILENCES = "Also those of the last week that are over."
SILENCE_LENGTH = "For how long, such as 30m, 2h or 3d."
SILENCE_COMMENT = "Why; whoever misses the alert will read it."
SILENCE_SCHEDULE = 'Only at these times, such as "every Sunday 02:00"; needs --each.'
SILENCE_EACH = "For how long each time, with --schedule."
SILENCED = "{glyph} Silenced until {until}: {matchers}  {faint}"
SILENCED_NONE = (
    "No alert that fires now has these labels: it is for those to come, unless a label is misspelt "
    "(`opsbook alerts` shows those that fire)."
)
UNSILENCED = "{glyph} The silence {id} is over."
NO_ALERTS = "No alert fires."
NO_ALERTS_EVER = "No alert so far."
NO_SILENCES = "Nothing is silenced."
NO_TEAMS = "No book has a team: nobody is on duty."
ONCALL_AT = "At another moment than now, such as 2026-03-02T09:00+09:00."
NO_MOMENT = "{said!r} is no time; write 2026-03-02 09:00, or with its zone 2026-03-02T09:00+09:00."
ONCALL_AHEAD = "What is wrong with duty within so many days: gaps and clashes."
AT_OR_AHEAD = "Give either --at or --ahead."
GAP = "gap"
GAP_CALLS = "nobody's hours: {person} is called all the same"
CLASH = "clash"
CLASH_CALLS = "{person} is called first by both"
DUTY_IS_WELL = "Nothing is wrong with duty until {until}."
ONCALL_WHY = {
    "agreed": "agreed on",
    "override": "by exception",
    "nobody's hours": "nobody's hours: called all the same",
}
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
SECRET_PARAM = (
    "The parameter {name!r} is secret, and others see a command line. Leave it out to be asked "
    "for it, or write {name}=@FILE or {name}=- (stdin)."
)
SECRET_MISSING = (
    "The parameter {name!r} is secret and required, and nobody can be asked for it here: give it "
    "as -p {name}=@FILE or -p {name}=- (stdin)."
)
SECRET_FILE = "The value of {name!r} cannot be read from {file}: {why}."
STDIN_TWICE = "Only one parameter can be read from stdin."

# validate
BOOK_FINE = "{title} · {counts}"
BOOK_IDLE = "read and shown, and nothing acts on it yet: {what}"
BOOK_PASSWORD = (
    "a password that every reader of the book can read: {what} ({place}); "
    "write {{secret: env:NAME}}"
)
BOOK_UNSIGNED = (
    "an unsigned webhook: {what} ({place}); whoever receives it cannot know who sent it, "
    "add secret: env:NAME"
)
BOOK_UNUSED = "kept as it is: {what} ({place})"
BOOK_REMARK = "a remark: {what} ({place})"
BOOK_REMARK_WITH = "a remark: {what} ({place}); {remedy}"
BOOK_SECRETS = (
    "secrets that lead to nothing here; set them where `opsbook up` runs, which may be elsewhere:"
)
BOOK_SECRET = "{reference} ({place}, {what}): {why}; {without}"
BOOK_ASSUMED = "assumed: {what} ({place}): {why}"
VALID_BAD = "{problems} in {books}."

# fmt
FMT_CHECK = "Change nothing; name the files that would change and exit with 1 if there are any."
FMT_DIFF = "Change nothing; show what would change."
FMT_NO_PATH = "{path} cannot be read: {why}."
FMT_UNWRITTEN = "this file could not be written: {why}"
FMT_NOTHING = "Nothing to lay out: no YAML here, and no page in runbooks/ or drills/."
FMT_DID = "laid out {file}"
FMT_WOULD = "would lay out {file}"
FMT_DONE = "{changed} laid out, {fine} fine as they were."
FMT_CHECKED = "{changed} to lay out, {fine} fine as they are."
FMT_ENDS_ONLY = "(only the ends of lines, a BOM or the last line's end would change)"

# schema
SCHEMA_FOR = "What it is for: a book's YAML, or the front matter of its pages."
SCHEMA_TO = "Write it to this file; to standard output if left out."
SCHEMA_WROTE = "● {file}: {keys}. Point an editor at it from the first line of a YAML file:"
SCHEMA_LINE = "  # yaml-language-server: $schema={file}"
SCHEMA_UNWRITTEN = "{file} cannot be written: {why}."

# export, import
EXPORT_INTO = "Write into this folder; to standard output if left out, where it is one file."
EXPORT_URL = "Opsbook's own address, for what leads back to it."
EXPORT_ALONE = "Lead nothing back to Opsbook: everybody by their own addresses."
IMPORT_INTO = "Write into this book's folder; to standard output if left out."
IMPORT_SEVERITY = (
    "What a severity of the file is called in the book; without WORD= for rules that say none."
)
CARRY_SEVERAL = "There are {n} files: {names}."
CARRY_SEVERAL_REMEDY = "Name a folder with --into, or take all of them with -o json."
CARRY_UNREADABLE = "{file} cannot be read: {why}."
CARRY_UNWRITTEN = "{file} cannot be written: {why}."
CARRY_IN_THE_WAY = "{folder} already has {names}."
CARRY_IN_THE_WAY_REMEDY = "Name another folder, or move them away; nothing was written."
CARRY_WROTE = "● {file}"
CARRY_REFUSED = "{problems} in {file}; nothing was written."
CARRY_FOUND = "{place}: {level}: {message}"
CARRY_SET = "To set:"
CARRY_SETTING = "  {name}  {form}  ({place})"

# routes
ROUTES_AT = "At this time instead of now, such as 2026-03-01T22:00+09:00."
ROUTES_INTAKE = "As handed in by this intake of the book."
ROUTES_HANDED_IN = "By {intake} it is {severity}: {labels}"
ROUTES_BAD_LABEL = "{given!r} is no label; write NAME=VALUE."
ROUTES_LABEL_TWICE = "The label {name!r} is given twice."
ROUTES_BAD_TIME = "{given!r} is no time; write one such as 2026-03-01T22:00+09:00."
ROUTES_WAYS = {"incident": "opens an incident", "notify": "tells"}
ROUTES_NOBODY = "nobody"
ROUTES_ALONE = "each alert alone"
ROUTES_ALL = "all alerts of the route"
ROUTES_AT_ONCE = "at once"
ROUTES_GROUP = "group"
ROUTES_WAITS = "waits"
ROUTES_WAIT = "{wait}, then every {interval}, again after {repeat}"
ROUTES_ALONE_WAIT = "{wait}, again after {repeat}"
ROUTES_QUIET = "quiet"
ROUTES_INACTIVE = "outside of {hours}"
ROUTES_MUTED = "within {hours}"
ROUTES_INHIBITED = "What the inhibition {inhibition} names may keep it quiet while it fires."

# init
INIT_TITLE = "What the book is called."
INIT_ID = "The book's id, used in addresses and labels; from the folder's name if left out."
INIT_TIMEZONE = "The zone of every schedule, such as Asia/Seoul; this machine's if left out."
INIT_LANGUAGE = "The language of the comments and texts; from LANG if left out."
INIT_OWNER = "The name that the person who starts signs in with."
INIT_URL = "A web address to look at from the start."
INIT_IN_THE_WAY = "{folder} is not empty: {names}."
INIT_IN_THE_WAY_REMEDY = "Name a folder that is empty or does not exist; nothing was written."
INIT_NO_FOLDER = "{folder} is a file."
INIT_UNWRITTEN = "{file} cannot be written: {why}."
INIT_NO_ZONE = "The time zone of this machine is not known."
INIT_NO_ZONE_REMEDY = "Name it with --timezone, such as --timezone Asia/Seoul."
INIT_BAD = "{option} {value!r}: {why}."
INIT_WROTE = "● {folder}: {files}"
INIT_NEXT = "Next:"
INIT_NEXT_VALIDATE = "after every edit: names whatever is wrong, with its place"
INIT_NEXT_UP = "runs it, and shows a link to sign in with"
INIT_NEXT_CHECKS = "in another terminal: what the checks see"

# plan
PLAN_AGAINST = "Compare with another folder, or with a revision that ran, instead of what runs."
PLAN_BOOK = "Compare with the running book of this id, where the folder has another one."
PLAN_EXIT_CODE = "Exit with 1 if anything changes."
PLAN_HEAD = "{book} · {new} against {old}"
PLAN_RUNNING = "revision {revision}, which runs"
PLAN_REVISION = "revision {revision}"
PLAN_FIRST = "nothing: no book {book} runs that you may read"
PLAN_HELD = (
    "This revision was saved and waits for an approval since {since}; see {url}/book/{book}/held"
)
PLAN_NOTHING = "Nothing changes."
PLAN_LOOSENS = "NEEDS APPROVAL ({n})"
PLAN_SOON = "WITHIN A DAY ({n})"
PLAN_REST = "THE REST ({n})"
PLAN_NEEDS = "needs approval: {sentence}"
PLAN_END = "{all}; {n} before this revision runs."
PLAN_NO_SERVER = (
    "Start the server, or compare with a folder: opsbook plan {folder} --against FOLDER"
)

# up
UP_DATA_OPTION = "Where the server keeps its database, keys and log (OPSBOOK_DATA)."
UP_LISTEN_OPTION = "Where to listen (OPSBOOK_LISTEN; 127.0.0.1:8420). Port 0 takes any free one."
UP_DATABASE_OPTION = (
    "postgresql://… or sqlite:////path (OPSBOOK_DATABASE; a file in the data folder)."
)
UP_READING = "Reading {books} …"
UP_STARTING = "Starting …"
BOOK_WORD, WATCHES_WORD, DATA_WORD, STEPS_WORD = "book", "watches", "data", "steps"
SECRETS_WORD = "secrets"
NETWORK_WORD, SIGN_IN_WORD = "network", "sign in"
UP_BOOK = "{id}: {title} · revision {revision}"
UP_HELD = "{id}: the revision {revision} waits for approval; the one above goes on"
UP_TROUBLE = "{id}: the revision above goes on from the database. {why}"
UP_ALIKE = (
    "more than {n} entries {action} within {seconds} s: the rest of them is in {url}/audit only"
)
UP_MORE = " and {n} more"
UP_ALL_PROBLEMS = "opsbook validate {folder} names all of them"
UP_MORE_PROBLEMS = "the book's page names more of them"
UP_DATA = "{data}"
UP_SECRETS = "{id}: {n} that it refers to, and that this server does not find:"
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
WAITS_DECISION = "waits for a decision by {role}: {step}"
WAITS_CHECK = "waits until the check holds: {step}"
WAITS_TIME = "waits for its time: {step}"
WAITS_RUN = "waits for the run that it started: {step}"
WAITS_RETRY = "{step} failed ({why}) and is tried again: try {n}"
WAITS_OTHER = "waits: {step}"
WAITS_GIVEN = "{given} of {need}"
ANSWER_APPROVAL = "opsbook runs approve {id} --step {key}   (or reject)"
ANSWER_PERSON = "opsbook runs confirm {id} --step {key}"
ANSWER_PAGE = "with OPSBOOK_TOKEN set to a personal token, or at {page}"
ANSWER_DECISION = "opsbook runs decide {id} {choices} --step {key}"
LEFT, OVER = "{time} left", "{time} over"
ATTEMPT = " (attempt {n})"
ANYBODY = "somebody who may"
SHOW_RUNS = "Step {n} of {all} runs: {title}"
SHOW_ITEMS = "{done} of {all} done"
SHOW_QUEUED = (
    "It waits for its turn, behind an earlier run with the same lock or the next free place."
)
SHOW_CANCELLING = "It is being cancelled."
SHOW_ENDS = {
    "succeeded": "Succeeded after {took}.",
    "failed": "Failed after {took}: {why}.",
    "cancelled": "Cancelled after {took}: {why}.",
}
SHOW_STARTED = "started {age} by {who}{cause}"
SHOW_FOR = " for {trigger}"
SHOW_STEPS = "STEPS"
SHOW_UNDO = "TO UNDO"
SHOW_FINALLY = "IN ANY CASE"
SHOW_MORE = "… {n} more like these; -o json has all of them"
SHOW_NOT_REACHED = "not reached"
SHOW_LOGS = "opsbook runs logs {id} --step {key}"
SHOW_NEXT = "What it wrote: {logs}"
SHOW_RESUME = 'Mended? opsbook runs resume {id} --reason "…"'
SHOW_RERUN = 'From here on, as a new run: opsbook runs rerun {id} --from {key} --reason "…"'
TRY = "Of which try, by its number; otherwise of all of them."
NO_SUCH_STEP = "Run {id} has no step {key!r}."
NO_SUCH_STEP_REMEDY = "It has: {keys}."
NO_SUCH_TRY = "Step {key} of run {id} has no try {n}; it has {count}."
NO_REASON = "Say why, in --reason: it is kept with the run."
TRY_OF_STEP = "--attempt names a try of one step: say which with --step."
NO_RUNS = "No runs. Start one with `opsbook run RUNBOOK`."
NO_OUTPUT = "No output."
APPROVED = "● run {id}: approved."
REJECTED = "● run {id}: rejected."
WITHDRAWN = "● run {id}: your yes is taken back."
CONFIRMED = "● run {id}: confirmed."
DECIDED = "● run {id}: decided, {choice}."
CANCELLED = "‖ run {id} is being cancelled."
RESUMED = "● run {id} goes on."
RERUN = "● run {of} again: run {id} · {title} · {url}"
TAKEN_OVER = "● run {id} is yours to look after."
COMMENTED = "● run {id}: noted."
ATTACHED = "● run {run}: {name} ({size} bytes) is attached to {step}, as file {id}."

# run --dry-run
DRY_HEAD = "{title} ({id}) · {book} · revision {revision}"
DRY_LOOKS = "only looks, changes nothing"
DRY_MANUAL = "{n} by hand"
DRY_LOCK = "takes the lock {lock}, which is free"
DRY_HELD = "waits for the lock {lock} behind run {runs}"
DRY_DEADLINE = "must be over by {at}"
DRY_FAILS = "WILL FAIL ({n})"
DRY_MAY_FAIL = "MAY FAIL ({n})"
DRY_PARAMS = "PARAMETERS"
DRY_STEPS = "WHAT HAPPENS"
DRY_UNDO = "IF IT FAILS, UNDONE IN THIS ORDER (of the steps that had begun)"
DRY_ALWAYS = "IN ANY CASE, AT THE END"
DRY_CHANGES = "changes something"
DRY_UNDOES = "undoes {step}"
DRY_DUE = "due {at}"
DRY_TARGET = "on {target}, with its credential for {credential}"
DRY_TARGET_PLAIN = "on {target}, without a credential"
DRY_ASKS = "asks {who}: {may}"
DRY_OR = " or "
DRY_NOBODY = "nobody could answer"
DRY_EXCLUDED = "not {person}: {why}"
DRY_WHY = {
    "started": "starts it",
    "authored": "wrote this revision of the book",
    "linked": "counts as one person with somebody who takes part, by a sign-in link",
    "no account": "has no account here",
    "disabled": "the account is disabled",
}
DRY_MORE = "… {n} more lines; -o json has all of them"
DRY_SAVED = "saved by {step}"
DRY_MISSING = "not given"
DRY_EMPTY = "(empty)"
DRY_CUT = "… and more, too much to be shown."
DRY_END = "Nothing was started."

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

# accounts
OFFLINE = "Make it in the database itself, on the server's machine; for a first administrator only."
ACCOUNT_STATES = {
    "in": "can sign in", "invited": "invited", "late": "no link that works", "disabled": "disabled",
}  # fmt: skip
ACCOUNT_GLYPHS = {"in": "ok", "invited": "waiting", "late": "warning", "disabled": "paused"}
FIRST_ADMIN = "first administrator"
NO_ACCOUNT = "no account"
NO_ROLE = "nothing: no book names it"
WITHOUT_ACCOUNT = "Let somebody in with `opsbook accounts invite {login}`."
NO_SUCH_ACCOUNT = "There is no account {login!r} that you may see."
NO_SUCH_ACCOUNT_REMEDY = "`opsbook accounts list` shows those there are."
LINK_FOR = "● Send this to {login} alone, by a channel you trust:"
LINK_HOW = "  Whoever opens it first is signed in as them. It works once, {left}."
ACCOUNT_DISABLED = "‖ {login} is disabled and signed out everywhere."
ACCOUNT_ENABLED = "● {login} can sign in again."
DATABASE_ONLINE = "--database belongs to --offline; a running server knows its own."
NO_DATABASE = "There is no database in {data}."
NO_DATABASE_REMEDY = "Name the server's data folder with --data, or its --database."

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
