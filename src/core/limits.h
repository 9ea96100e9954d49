/*
 * Every number that bounds something, with its reason. Times carry their unit in the name.
 */
#ifndef SYNC_CORE_LIMITS_H
#define SYNC_CORE_LIMITS_H

/* Records and batches
 * ------------------------------------------------------------------------------- */
#define SYNC_RECORD_BYTES_MAX  (1024 * 1024) /* = max.message.bytes of every topic */
#define SYNC_BATCH_RECORDS_MAX 1000          /* arrays gain little above, locks are held longer */
#define SYNC_BATCH_BYTES_MAX   (1024 * 1024) /* bounds the statement's size */
/* decoded records, states, parameters of one batch; touched only as far as it is used. The largest
 * is a chunk of "load" with a release of SYNC_RELEASE_ROWS_MAX records. */
#define SYNC_BATCH_ARENA_BYTES (96 * 1024 * 1024)
/* Raw records that wait for the apply thread: 40,000 of a status. They cost 100 bytes each beside
 * their own, in the client's queue 400 and more; that queue holds the rest of a second's records */
#define SYNC_RING_BYTES_MAX   (8 * 1024 * 1024)
#define SYNC_RING_RECORDS_MAX 65536 /* slots of that ring */
#define SYNC_RING_SLACK_BYTES                                                                      \
    (2 * SYNC_RECORD_BYTES_MAX + 4096) /* a full ring is still polled once a second */
#define SYNC_CONTROL_RING_BYTES                                                                    \
    (256 * 1024) /* claims, marks, hints between poll and apply thread */

/* Decoder: hostile bytes end in under 10 ms and 64 KiB (traps: avro-c on unchecked bytes)
 * ------------- */
#define SYNC_DATUM_DEPTH_MAX 16
#define SYNC_DATUM_NODES_MAX 4096
#define SYNC_DATUM_EMPTY_ITEMS_MAX                                                                 \
    1024 /* items of zero size cost no bytes, so they need a bound                                 \
          */
#define SYNC_SCHEMA_BYTES_MAX      (64 * 1024)
#define SYNC_SCHEMA_DEPTH_MAX      32
#define SYNC_SCHEMA_NAME_BYTES_MAX 255 /* one full name */
#define SYNC_SCHEMA_MEMBERS_MAX                                                                    \
    1024 /* fields, symbols or branches of a type: checks are quadratic */
#define SYNC_SCHEMA_FILES_MAX     1024  /* of a directory of schemas */
#define SYNC_SCHEMA_DIRS_MAX      16    /* nested directories of it */
#define SYNC_DECODER_WRITERS_MAX  64    /* schemas of one topic within the replay window */
#define SYNC_PLAN_NODES_MAX       65536 /* a type that several paths read is compiled for each */
#define SYNC_FIELD_PATH_BYTES_MAX 256   /* dotted path of a field */

/* Clock and time rules
 * ------------------------------------------------------------------------------ */
#define SYNC_FUTURE_MAX_US (5LL * 60 * 1000000) /* CS-07: event time ahead of the append time */
#define SYNC_EPOCH_2000_US 946684800000000LL    /* CS-08: nothing happened before */

/* Hold and park
 * ------------------------------------------------------------------------------------- */
#define SYNC_HELD_PER_KEY_MAX 10000 /* CS-17 */
/* Held or parked records decided in one transaction: from our first lock on a row of Altinn 3 on it
 * has SYNC_DB_WAIT_ALTINN3_MS, and 4,000 took half of that */
#define SYNC_RELEASE_ROWS_MAX         2000
#define SYNC_HELD_UNKNOWN_AGE_S       (24 * 3600)      /* CS-16 */
#define SYNC_HELD_EXPECTED_AGE_S      (30 * 24 * 3600) /* CS-15 */
#define SYNC_PARKED_ALARM_COUNT       1000             /* open per partition */
#define SYNC_PARK_WINDOW              1000 /* over half of them parked: a wrong schema */
#define SYNC_ADOPTION_INTERVAL_MS     5000
#define SYNC_ROW_GONE_TRIES_MAX       5    /* a row does not vanish under us each time */
#define SYNC_PAUSE_LOOK_MS            1000 /* "pause" is heard within it */
#define SYNC_ADOPTION_PAGE_ROWS       2000 /* held and parked rows of one look, about 20 ms */
#define SYNC_ADOPTION_REST            4    /* a sweep in vain rests so many times its length */
#define SYNC_ADOPTION_IDS_MAX         500  /* bounds the adoption transaction */
#define SYNC_HOUSEKEEPING_INTERVAL_MS 60000
#define SYNC_HOUSEKEEPING_ROWS_MAX    1000
#define SYNC_MEASURE_ROWS_MAX         10000 /* counted of one place and rule, about 2 ms */
#define SYNC_LOAD_ROWS_MAX            500   /* messages in one transaction of "load" */
#define SYNC_DRIFT_CLASSES_MAX        16  /* of one store: each is a series and a query a minute */
#define SYNC_DRIFT_RELEASE_MAX        500 /* rows locked by one "drift release" */

/* Database
 * ------------------------------------------------------------------------------------------ */
#define SYNC_DB_LOCK_ALTINN3_MS                                                                    \
    400 /* we give way before the server looks for a deadlock at 1 s                               \
         */
#define SYNC_DB_WAIT_ALTINN3_MS       900 /* from our first lock on a row of Altinn 3 on */
#define SYNC_DB_LOCK_CLAIM_MS         5000
#define SYNC_DB_LOCK_IN_DOUBT_MS      15000
#define SYNC_DB_STATEMENT_IN_DOUBT_MS 20000
#define SYNC_DB_STATEMENT_MS          10000 /* below the poll budget of the client */
#define SYNC_DB_CONNECT_S             3
#define SYNC_DB_NETWORK_MS                                                                         \
    5000 /* what an answer may be late after its time-out; then the connection is lost */
#define SYNC_DB_IDLE_IN_TXN_MS 10000  /* the server ends a transaction that we forgot */
#define SYNC_DB_TCP_USER_MS    10000  /* both ends notice a dead peer before the poll budget ends */
#define SYNC_DB_STATEMENTS_MAX 256    /* prepared per connection: all static texts of the binary */
#define SYNC_DB_HOSTS_MAX      8      /* hosts of one DSN */
#define SYNC_DB_MIGRATE_MS     600000 /* one migration may build an index on a large table */
#define SYNC_ORIGIN_POOL       4      /* replication origins of a consumer: processes + 1 */

/* Back-off
 * ------------------------------------------------------------------------------------------ */
#define SYNC_BACKOFF_FIRST_MS  100
#define SYNC_BACKOFF_MAX_MS    10000 /* part of the convergence budget of 60 s */
#define SYNC_RETRY_AFTER_MAX_S 60

/* Kafka
 * --------------------------------------------------------------------------------------------- */
#define SYNC_KAFKA_SESSION_MS  6000
#define SYNC_KAFKA_MAX_POLL_MS 300000
/* The client's own queue. When a bound is reached, a client before 2.2 fetches nothing for a
 * second: queue and ring together bound what is read in one (measured: 80,000 records of 200 bytes,
 * 28,000 of 1 KiB). With all of it full the process takes 50 MiB. */
#define SYNC_KAFKA_QUEUED_RECORDS 20000
#define SYNC_KAFKA_QUEUED_KBYTES  12288
/* One answer of a broker, all partitions together: it comes on top of the bounds. The client's own
 * 50 MiB are reached by a topic of 48 partitions. */
#define SYNC_KAFKA_FETCH_BYTES     SYNC_RECORD_BYTES_MAX
#define SYNC_KAFKA_RECEIVE_BYTES   (64 * 1024 * 1024) /* any answer, that about a cluster too */
#define SYNC_KAFKA_RECORD_COST     400 /* bytes that the client takes for a record beside its own */
#define SYNC_KAFKA_RECORD_MIN      8   /* bytes of the smallest record in an answer */
#define SYNC_KAFKA_ASSIGN_APART_MS 100 /* between two assignments: see assign_apart in kafka.c */
#define SYNC_HINT_INTERVAL_MS      5000
#define SYNC_WATCHDOG_MS           60000
#define SYNC_FENCED_WAIT_MS        30000
#define SYNC_TOPIC_UNKNOWN_MS      60000 /* a topic made after us is waited for so long */
#define SYNC_FRESHNESS_S           60    /* older than that: not ready */
#define SYNC_DRAIN_MS              15000
#define SYNC_HOLD_DOWN_MS          15000 /* longest wait before an uncertain call is looked at */
#define SYNC_CONVERGENCE_MS        60000 /* promised: drain, session, backoff, hold-down together */

/* Backlogs
 * ------------------------------------------------------------------------------------------ */
#define SYNC_YIELD_LIVE_BEHIND_MS                                                                  \
    5000 /* a backlog rests while live is further behind; goes on at half. A twelfth of the        \
          * promised convergence, and more than live is behind in a rebalance that goes well */
#define SYNC_YIELD_BATCH_MS                                                                        \
    2000 /* and while its own batches take longer: they hold locks that live waits for */
#define SYNC_YIELD_BATCH_LIVE_MS                                                                   \
    250 /* what a batch is to take at most while live moves: half of what live promises */
#define SYNC_YIELD_QUIET_MS      10000 /* without a move live does not move: ten looks */
#define SYNC_YIELD_RECORDS_FIRST 64    /* of a backlog's first batch; each may double it */
#define SYNC_YIELD_REST_MS       5000  /* until one batch is tried again: most time is live's */
#define SYNC_YIELD_LOOK_MS       1000  /* between two looks: a fifth of the limit */
#define SYNC_YIELD_ASK_MS        1000  /* until the broker has told the ends of one topic */
/* marks of the live route on their way to the apply thread; one is 8 KiB */
#define SYNC_YIELD_RING_BYTES (64 * 1024)
#define SYNC_YIELD_TELL_MS    5000  /* between two marks in sync.yield while it rests */
#define SYNC_YIELD_STALE_MS   15000 /* a mark older than that is of a process that is gone */

/* Logs and metrics
 * ---------------------------------------------------------------------------------- */
#define SYNC_LOG_LINE_BYTES_MAX                                                                    \
    4096 /* below PIPE_BUF, so that lines of several processes do not mix */
#define SYNC_LOG_REPEAT_US       1000000 /* the same line within it is counted, not written */
#define SYNC_LOG_RECENT_LINES    16      /* different lines that are watched for repeats */
#define SYNC_METRIC_FAMILIES_MAX 128
#define SYNC_METRIC_SERIES_MAX   1000 /* lines on the page: what a scraper is promised */
#define SYNC_METRIC_LABELS_MAX   6

/* HTTP
 * ---------------------------------------------------------------------------------------------- */
#define SYNC_HTTP_CONNECT_MS        3000
#define SYNC_HTTP_TOTAL_MS          10000
#define SYNC_BRIDGE_TOTAL_MS        35000 /* the facade waits 30 s for Altinn 2 */
#define SYNC_HTTP_ANSWER_BYTES_MAX  (1024 * 1024)
#define SYNC_HTTP_BODY_BYTES_MAX    (1024 * 1024)
#define SYNC_HTTP_HEAD_BYTES_MAX    16384 /* request line and headers */
#define SYNC_HTTP_STOP_MS           2000  /* time for answers on their way when a server stops */
#define SYNC_HTTP_REQUESTS_MAX      64    /* open requests of a receiver */
#define SYNC_RECEIVER_ANSWER_MS     10000 /* then 503: the caller repeats, the set absorbs */
#define SYNC_RECEIVER_LOOKUP_MS     2000
#define SYNC_RECEIVER_CACHE_ENTRIES 65536
#define SYNC_DELEGATION_TICK_MS     5000   /* DL-98: a watermark is at most two of them old */
#define SYNC_WATERMARK_MS           10000  /* DL-98 */
#define SYNC_FEED_POLL_MS           120000 /* the feed's own lag is minutes */
#define SYNC_FEED_OVERLAP_MS        600000 /* twice the longest lag that is known of the feed */
#define SYNC_RECEIVER_PARAMS_BYTES  (256 * 1024) /* parameters of one look-up */
#define SYNC_RECEIVER_NUMBERS_BLOCK                                                                \
    1000 /* sequence numbers reserved at once: one commit per so many events */
#define SYNC_ROUTE_TARGETS_MAX    4   /* each is a send thread and a connection */
#define SYNC_ROUTE_INPUTS_MAX     4   /* topics that one consumer reads */
#define SYNC_LANE_KEYS_MAX        256 /* effects of one transaction; 64: a tenth fewer calls */
#define SYNC_LANE_IN_FLIGHT_MAX   16
#define SYNC_ECHO_EXPECTED_S      (24 * 3600)
#define SYNC_EFFECT_ATTEMPTS_PARK 10 /* CS-57, over at least … */
#define SYNC_EFFECT_AGE_PARK_S    (15 * 60)

/* Sources
 * ------------------------------------------------------------------------------------------- */
#define SYNC_CAPTURE_HEARTBEAT_MS 10000
#define SYNC_CAPTURE_FEEDBACK_MS  10000
#define SYNC_CAPTURE_UNRESOLVED_MS                                                                 \
    30000                         /* a message in neither table is asked for again so long         \
                                   */
#define SYNC_CAPTURE_TICK_MS 5000 /* watermarks go out every 10 s */
#define SYNC_CAPTURE_DOCUMENT_MS                                                                   \
    30000 /* a policy document that a row points at is asked for so long: it is written first, so  \
           * that only a slow store keeps it away */

/* Files
 * --------------------------------------------------------------------------------------------- */
#define SYNC_FILE_BYTES_MAX        (1024 * 1024) /* configuration, topics.yaml */
#define SYNC_CLIENT_FILE_BYTES_MAX (64 * 1024)   /* client.properties: 64 lines, perhaps with PEM */
#define SYNC_YAML_DEPTH_MAX        16            /* topics.yaml needs 5 */
#define SYNC_YAML_NODES_MAX        16384         /* 64 topics need about 3,000 */
#define SYNC_YAML_MEMBERS_MAX      512           /* keys of a map are compared pairwise */
#define SYNC_LOAD_LINE_BYTES_MAX   (4 * 1024 * 1024)
#define SYNC_LOAD_CHUNK_BYTES_MAX                                                                  \
    (4 * 1024 * 1024) /* text and parameters of one transaction fit the batch arena */
#define SYNC_LOAD_ARENA_BYTES (32 * 1024 * 1024) /* lines of one chunk in our own form */

/* JSON
 * ---------------------------------------------------------------------------------------------- */
#define SYNC_JSON_BYTES_MAX                                                                        \
    SYNC_LOAD_LINE_BYTES_MAX   /* the longest text that we read as one value */
#define SYNC_JSON_DEPTH_MAX 64 /* jansson's parser recurses */
#define SYNC_JSON_VALUES_MAX                                                                       \
    (256 * 1024) /* a value costs up to 200 bytes: bounds the tree at 50 MiB */
#define SYNC_JSON_WRITER_BYTES_MAX                                                                 \
    (16 * 1024 * 1024) /* a runaway writer fails, the process lives */

#endif
