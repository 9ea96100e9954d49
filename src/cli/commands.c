/* The table of verbs: help, suggestions and dispatch all come from it. One row each; groups stand
 * together. */
#include "cli.h"

const struct sync_command sync_commands[] = {
    {.group = "Processes",
     .words = "run",
     .usage = "NAME [--describe]",
     .summary = "run one route as its own process",
     .needs_config = true,
     .run = sync_cli_run,
     .help = "NAME is a route of \"processors list\" and also its Kafka group; more processes with "
             "the same command share its partitions. It waits for a broker, database or bridge "
             "that cannot be reached. SIGTERM drains within 15 s, a second one ends at once, "
             "SIGHUP reads log.level again. The log line \"ready\" names the address of /metrics, "
             "/livez, /readyz and /startupz.\n"
             "\n"
             "  --describe  print route, sink guarantee, rules and worst-case memory, then exit\n"
             "\n"
             "  altinn-sync run status-to-altinn3"},
    {.group = "Processes",
     .words = "capture",
     .usage = "NAME",
     .summary = "run one source as its own process",
     .needs_config = true,
     .run = sync_cli_capture,
     .help = "altinn2-status takes the calls of Altinn 2's batch job on capture.listen and answers "
             "200 only after the broker has acknowledged every record. altinn2-delegation "
             "does the same for delegations and reads the role feed. altinn3-status and "
             "altinn3-delegation read a replication slot of Altinn 3. SIGTERM ends it cleanly.\n"
             "\n"
             "  altinn-sync capture altinn2-status"},
    {.group = "Sources",
     .words = "capture init",
     .usage = "NAME",
     .summary = "make the slot of a source",
     .needs_config = true,
     .run = sync_cli_capture_init,
     .help = "Checks server and publication, makes the slot and records system id, timeline and "
             "where it begins in sync.source. The owner of the tables must have run "
             "connectors/altinn3/sql/publication.sql. When the slot fits what is recorded, it does "
             "nothing. When a recorded slot is gone, it asks (or takes --yes), begins a new "
             "generation and records the gap.\n"
             "\n"
             "  altinn-sync capture init altinn3-status"},
    {.group = "Sources",
     .words = "capture status",
     .usage = "NAME",
     .summary = "compare the slot of a source with its record",
     .needs_config = true,
     .run = sync_cli_capture_status,
     .help = "Prints positions, retained log and open gaps. Exits 3 when slot or server are not as "
             "recorded or a gap is open, 4 when capture init was never run. Needs the login of the "
             "capture, because it asks over a replication connection.\n"
             "\n"
             "  altinn-sync capture status altinn3-status"},
    {.group = "Sources",
     .words = "capture backfill",
     .usage = "NAME start|pause|resume|cancel|status [--reason TEXT] [--rate N] [--watch]",
     .summary = "load the whole current state beside live",
     .needs_config = true,
     .run = sync_cli_capture_backfill,
     .help =
         "Orders to the running capture, which sends the state to the backlog topic; live goes "
         "on. altinn3-delegation reads its tables chunk by chunk. altinn2-delegation asks Altinn 2 "
         "for the export of one resource after the other; what was granted by roles comes by the "
         "role feed and begins by itself (role_feed). The load may be stopped and killed at any "
         "moment and goes on where it was. At the end of each part it says to every partition how "
         "much was sent. status exits 4 when nothing was ever loaded, 3 when a part is paused or "
         "cancelled.\n"
         "\n"
         "  --reason TEXT  why, for the audit; needed by all but status\n"
         "  --rate N       at most N rows a second, with start and resume; not of Altinn 2, which "
         "decides itself\n"
         "  --watch        with status: show progress, rate and time left until it is over\n"
         "\n"
         "  altinn-sync capture backfill altinn3-delegation start --reason \"first load\"\n"
         "  altinn-sync capture backfill altinn3-delegation status --watch"},
    {.group = "Looking",
     .words = "status",
     .usage = "[--watch] [--home NAME] [--metrics HOST:PORT[,…]] [--interval DURATION] [--count N]",
     .summary = "show routes, effects and sources on one screen",
     .needs_config = true,
     .run = sync_cli_status,
     .help =
         "Reads the sync tables and asks the broker where the topics end. Rate is records per "
         "second, lag is records not applied yet, held and parked are open now; the other "
         "counts are since the start. A backlog shows how much of it is done and when it ends at "
         "the present rate. Exits 6 when one of several home databases does not answer.\n"
         "\n"
         "  --watch              look again and again: a live screen on a terminal, lines "
         "elsewhere\n"
         "  --home NAME          only of this home database: correspondence or authorization\n"
         "  --metrics HOST:PORT  also ask running processes, with commas between: ready or not, "
         "oldest unapplied change, latency from capture to commit, rebalances, fences, retries\n"
         "  --interval DURATION  time between two looks of --watch, 1s unless given\n"
         "  --count N            end --watch after N looks\n"
         "\n"
         "  altinn-sync status --watch"},
    {.group = "Looking",
     .words = "doctor",
     .usage = "[--home NAME]",
     .summary = "look for what is wrong and say how to mend it",
     .needs_config = true,
     .run = sync_cli_doctor,
     .help = "Looks at broker, topics, database, schema, rights, replication origins, slot, server "
             "settings and clock, and changes nothing. Rights are those that a consumer needs, so "
             "the DSN of a home should name a consumer's role. Exits 3 when there are findings.\n"
             "\n"
             "  --home NAME  of the databases only this one: correspondence or authorization\n"
             "\n"
             "  altinn-sync doctor"},
    {.group = "Data",
     .words = "load",
     .usage = "[--as NAME] FILE",
     .summary = "insert messages and parties, or resources, from a file",
     .needs_config = true,
     .run = sync_cli_load,
     .help = "Reads JSON lines (docs/load-format.md; - is standard input), 500 in one transaction, "
             "and decides in the same transaction what was held for the messages. May be repeated "
             "and interrupted: what is there is skipped. Wrong lines are reported as FILE:LINE: "
             "FIELD: …, the others are loaded, and the exit code is 6. One file holds lines of one "
             "loader; the first line says which.\n"
             "\n"
             "  --as NAME  the loader: correspondence (messages, parties), delegation (resources)\n"
             "\n"
             "  altinn-sync load messages.jsonl"},
    {.group = "Data",
     .words = "held list",
     .usage = "[--home NAME] [--scope NAME] [--rule ID] [--limit N]",
     .summary = "list what waits for its message",
     .needs_config = true,
     .run = sync_cli_held_list,
     .help = "The oldest come first. What is held is decided by itself when its message exists.\n"
             "\n"
             "  --home NAME   only of this home database\n"
             "  --scope NAME  only of this consumer\n"
             "  --rule ID     only by this rule, for example CS-14\n"
             "  --limit N     at most N rows (100)"},
    {.group = "Data",
     .words = "parked list",
     .usage = "[--all] [--home NAME] [--scope NAME] [--rule ID] [--limit N]",
     .summary = "list what was set aside for a person",
     .needs_config = true,
     .run = sync_cli_parked_list,
     .help = "The oldest come first.\n"
             "\n"
             "  --all         also what was decided again, discarded or skipped\n"
             "  --home NAME   only of this home database\n"
             "  --scope NAME  only of this consumer\n"
             "  --rule ID     only by this rule, for example CS-07\n"
             "  --limit N     at most N rows (100)"},
    {.group = "Data",
     .words = "parked show",
     .usage = "[--bytes] [--home NAME] [--scope NAME] TOPIC PARTITION OFFSET",
     .summary = "say why one record was set aside",
     .needs_config = true,
     .run = sync_cli_parked_show,
     .help = "Prints rule, code, field and reason of the record at one position.\n"
             "\n"
             "  --bytes       also the record itself as hex digits, if it was kept; it may name "
             "persons, and a viewer's role has no right to it\n"
             "  --home NAME   only of this home database\n"
             "  --scope NAME  only of this consumer\n"
             "\n"
             "  altinn-sync parked show altinn2.correspondence-status.v1 3 1042"},
    {.group = "Data",
     .words = "lanes list",
     .usage = "[--home NAME]",
     .summary = "list what waits for outside targets",
     .needs_config = true,
     .run = sync_cli_lanes_list,
     .help =
         "One row per target: its state, effects by state, age of the oldest that waits, and why "
         "the state changed."},
    {.group = "Data",
     .words = "lanes open",
     .usage = "[--since TIME] [--home NAME] --reason TEXT TARGET",
     .summary = "let effects of a closed target go again",
     .needs_config = true,
     .run = sync_cli_lanes_open,
     .help = "Shows what it would do, then asks; --yes goes on without asking. Opens a closed or "
             "stopped target and lets its closed effects wait again, in their order. May be "
             "repeated. An audit row keeps the reason.\n"
             "\n"
             "  --since TIME   also what was decided from then on, when the target had no route\n"
             "  --home NAME    of this home database, where several have lanes of the target\n"
             "  --reason TEXT  why; it is stored\n"
             "\n"
             "  altinn-sync lanes open altinn2 --reason \"the bridge is back\""},
    {.group = "Data",
     .words = "drift list",
     .usage = "[--class NAME] [--home NAME] [--limit N]",
     .summary = "list what was decided and a side does not show",
     .needs_config = true,
     .run = sync_cli_drift_list,
     .help = "Of each class the oldest come first. Exits 3 when there is anything. What each class "
             "means and what to do stands in docs/operators.md; commands without a route are with "
             "\"lanes list\".\n"
             "\n"
             "  --class NAME  only this class, for example restore_parked\n"
             "  --home NAME   only of this home database\n"
             "  --limit N     at most N rows of each class (100)"},
    {.group = "Data",
     .words = "drift release",
     .usage = "[--home NAME] --reason TEXT CLASS KEY…",
     .summary = "give back, or revoke, what drift list names",
     .needs_config = true,
     .run = sync_cli_drift_release,
     .help =
         "Says what the class means, then asks; --yes goes on without asking. KEY is a column "
         "of \"drift list\"; at most 500 at once. restore_parked: the sides get back what they "
         "lost. absent: the grants that the export lacks are revoked, as of the export and as by "
         "a machine; none of a service whose export lacks more than 1 %. It happens within "
         "seconds. Exits 6 when some were not released. An audit row keeps the reason.\n"
         "\n"
         "  --home NAME    only in this home database\n"
         "  --reason TEXT  why; it is stored\n"
         "\n"
         "  altinn-sync drift release restore_parked 5b0e… --reason \"the job is off\""},
    {.group = "Data",
     .words = "pause",
     .usage = "--reason TEXT NAME",
     .summary = "let a consumer apply and send nothing",
     .needs_config = true,
     .run = sync_cli_pause,
     .help = "Shows the switch, then asks; --yes goes on without asking. The processes of the "
             "consumer hear of it within a second: the batch and the calls at hand are finished, "
             "nothing else begins. They keep their partitions and stay ready; a restart does not "
             "end the pause. What \"load\" and the other consumer release is still decided. An "
             "audit row keeps the reason.\n"
             "\n"
             "  --reason TEXT  why; it is stored, logged and shown by status\n"
             "\n"
             "  altinn-sync pause status-to-altinn2 --reason \"the bridge is rebuilt\""},
    {.group = "Data",
     .words = "resume",
     .usage = "--reason TEXT NAME",
     .summary = "let a paused consumer go on",
     .needs_config = true,
     .run = sync_cli_resume,
     .help = "Shows the switch, then asks; --yes goes on without asking. The processes go on "
             "within a second where they stopped; nothing is started again. An audit row keeps "
             "the reason.\n"
             "\n"
             "  --reason TEXT  why; it is stored\n"
             "\n"
             "  altinn-sync resume status-to-altinn2 --reason \"the bridge is back\""},
    {.group = "Settings",
     .words = "config check",
     .usage = "",
     .summary = "check the settings without starting anything",
     .needs_config = true,
     .run = sync_cli_config_check,
     .help =
         "Reads defaults, file, conf.d, environment and flags as every other verb does, and says "
         "what is wrong with file, line and column. Nothing is contacted but the name service.\n"
         "\n"
         "  altinn-sync -c /etc/altinn-sync/altinn-sync.yaml config check"},
    {.group = "Settings",
     .words = "config show",
     .usage = "[--origin] [SECTION|OPTION]",
     .summary = "print the effective settings",
     .needs_config = true,
     .run = sync_cli_config_show,
     .help = "Secrets are masked.\n"
             "\n"
             "  --origin  also say which layer won: default, file and line, environment or flag\n"
             "\n"
             "  altinn-sync config show --origin kafka"},
    {.group = "Settings",
     .words = "topics validate",
     .usage = "[-f FILE]…",
     .summary = "check topics.yaml without a broker",
     .needs_config = true,
     .run = sync_cli_topics_validate,
     .help = "Prints every fault with file, line, column and a caret. Without -f the files of "
             "topics.file and topics.overlay are read; with --dev the overlay is topics.dev.yaml.\n"
             "\n"
             "  -f FILE  file of topics; repeatable, later is laid over earlier\n"
             "\n"
             "  altinn-sync topics validate -f topics.yaml -f topics.dev.yaml"},
    {.group = "Settings",
     .words = "topics apply",
     .usage = "[-f FILE]…",
     .summary = "create the topics that a cluster lacks",
     .needs_config = true,
     .run = sync_cli_topics_apply,
     .help =
         "Prints what it would do, then asks; --yes goes on without asking. Checks the cluster id "
         "first, creates topic by topic and reads each one back. Topics that exist are left alone: "
         "where their partitions differ, or where they should be absent, it says so and exits 6.\n"
         "\n"
         "  -f FILE  file of topics; repeatable, later is laid over earlier\n"
         "\n"
         "  altinn-sync --dev topics apply --yes"},
    {.group = "Settings",
     .words = "db migrate",
     .usage = "[--dry-run] [--home NAME]",
     .summary = "bring the database to this version",
     .needs_config = true,
     .run = sync_cli_db_migrate,
     .help =
         "Applies the numbered SQL that each home database lacks, each in a transaction of its "
         "own, then makes the replication origins of its routes. May be repeated; two runs at once "
         "wait for each other. Needs the migration role, the only one with rights to create. "
         "Rights of the others: examples/sql/grants.sql, authorization-grants.sql\n"
         "\n"
         "  --dry-run    only count what would be done\n"
         "  --home NAME  only this home database: correspondence or authorization\n"
         "\n"
         "  altinn-sync db migrate"},
    {.group = "Settings",
     .words = "db status",
     .usage = "[--home NAME]",
     .summary = "compare the database with this version",
     .needs_config = true,
     .run = sync_cli_db_status,
     .help = "Exits 3 when a migration or an origin is missing, was changed or is not known here.\n"
             "\n"
             "  --home NAME  only this home database: correspondence or authorization"},
    {.group = "Catalogue",
     .words = "processors list",
     .usage = "",
     .summary = "list entities and their routes",
     .run = sync_cli_processors_list,
     .help = "A route is what \"run\" starts; its name is also its Kafka group."},
    {.group = "Catalogue",
     .words = "processors describe",
     .usage = "NAME",
     .summary = "print the routes, rules and fields of one entity",
     .run = sync_cli_processors_describe,
     .help = "NAME is a processor or one of its routes.\n"
             "\n"
             "  altinn-sync processors describe status-to-altinn3"},
    {.group = "Catalogue",
     .words = "processors new",
     .usage = "[--root DIR] [--rules PREFIX] [--home NAME] [--dry-run] NAME",
     .summary = "write the files of a new entity",
     .run = sync_cli_processors_new,
     .help = "Writes a processor that works, its store, schema, migration, topic and test into a "
             "working copy of the repository. It passes the contract battery as it is; "
             "docs/consumers.md shows how to make it yours. Files that are there are never "
             "changed, but topics.yaml, which gets an entry.\n"
             "\n"
             "  --root DIR      the working copy, the current directory unless given\n"
             "  --rules PREFIX  2 to 4 capital letters before the numbers of its rules; the first "
             "letters of the name's words unless given\n"
             "  --home NAME     the database it lives in, correspondence unless given\n"
             "  --dry-run       only say which files would be written\n"
             "\n"
             "  altinn-sync processors new mailbox_setting"},
    {.group = "Catalogue",
     .words = "version",
     .usage = "",
     .summary = "print the version",
     .run = sync_cli_version,
     .help = ""},
    {.group = "Catalogue",
     .words = "help",
     .usage = "[VERB]",
     .summary = "explain the program or one verb",
     .run = sync_cli_help,
     .help = "With -o json the table of verbs comes as JSON."},
};
const size_t sync_command_count = sizeof sync_commands / sizeof sync_commands[0];
