"""hvrec sql, and the same tables in sqlite3 and in Python by the extension: they say what is in the trace, read no
chunk that a query does not need, change nothing, and refuse damage and bad SQL in one line."""
import csv
import io
import json
import os
import pty
import shutil
import sqlite3
import subprocess

import harness
from harness import check, error_line, hvrec, payload, record, test

EXTENSION = os.path.join(harness.BUILD, "hvrec_sqlite")
KINDS = {1: "MMIO_READ", 2: "MMIO_WRITE", 3: "EXTERNAL_ABORT", 4: "SYSREG_READ", 5: "SYSREG_WRITE", 6: "SYSREG_DENIED",
         7: "SMCCC_CALL", 8: "DEBUG_EXCEPTION", 9: "EXIT", 10: "IDLE", 11: "INPUT", 12: "INJECT", 13: "END"}
GROUPS = "SELECT kind, count(*) FROM events GROUP BY kind"


def record_chunks():
    """A trace of three chunks."""
    record("--console", "none", payload("timer_physical"))
    events = harness.events("trace")
    check(len(events) > 2 * 65536, f"timer_physical has only {len(events)} events")
    return events


def sql(query, *arguments, trace="trace"):
    """The rows, as objects."""
    result = hvrec("sql", trace, query, "--format", "json", *arguments)
    check(result.status == 0 and not result.err, f"sql {query}: {result}")
    return json.loads(result.out)


def rows(query, **more):
    return [list(row.values()) for row in sql(query, **more)]


def connect(name="trace"):
    connection = sqlite3.connect(name)
    if not hasattr(connection, "enable_load_extension"):
        raise harness.Skipped("this Python's sqlite3 cannot load extensions")
    connection.enable_load_extension(True)
    connection.load_extension(EXTENSION)
    return connection


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def counted(events):
    counts = {}
    for event in events:
        counts[KINDS[event.kind]] = counts.get(KINDS[event.kind], 0) + 1
    return sorted([kind, count] for kind, count in counts.items())


@test
def every_event_is_a_row():
    record("--memory", "64M", payload("wfi"))
    idle_ns = 0
    got = rows("SELECT event, n, time_ns, vcpu, kind, pc, address, value, size FROM events")
    events = harness.events("trace")
    check(len(got) == len(events), f"{len(got)} rows of {len(events)} events")
    for row, event in zip(got, events):
        expected = [event.index, event.n, event.n + idle_ns, event.vcpu, KINDS[event.kind], signed(event.pc),
                    signed(event.address), signed(event.value), event.size]
        check(row == expected, f"row {row}, event {expected}")
        idle_ns += event.value if event.kind == 10 else 0
    check(idle_ns > 0, "wfi does not idle")


@test
def events_are_put_into_words():
    record(payload("console"))
    name, text = rows("SELECT name, text FROM events WHERE kind = 'MMIO_WRITE' AND name = 'uart UARTDR' LIMIT 1")[0]
    check(text.startswith(f"MMIO_WRITE {name} <- 0x"), f"text {text!r}")
    check(rows("SELECT name FROM events WHERE kind = 'END'") == [["power off"]], "END has another name")


@test
def sqlite3_answers_with_the_extension():
    events = record_chunks()
    if not shutil.which("sqlite3"):
        raise harness.Skipped("there is no sqlite3 program")
    chunks = "SELECT hvrec_chunks_read();\n"
    query = f".load {EXTENSION}\n{GROUPS};\n{chunks}SELECT count(*) FROM events WHERE n < 1000;\n{chunks}"
    done = subprocess.run(["sqlite3", "-csv", "trace"], input=query.encode(), capture_output=True, check=False)
    check(done.returncode == 0 and not done.stderr, f"sqlite3: {done.stderr.decode()}")
    lines = list(csv.reader(io.StringIO(done.stdout.decode())))
    early = len([event for event in events if event.n < 1000])
    groups = [[kind, str(count)] for kind, count in counted(events)]
    check(lines == groups + [["3"], [str(early)], ["4"]], f"sqlite3 says {lines}")


@test
def python_answers_with_the_extension():
    events = record_chunks()
    connection = connect()
    check([list(row) for row in connection.execute(GROUPS)] == counted(events), "other counts than in the trace")
    connection.close()


@test
def a_range_reads_only_the_chunks_it_needs():
    events = record_chunks()
    connection = connect()

    def ask(where, keep, chunks):
        before = connection.execute("SELECT hvrec_chunks_read()").fetchone()[0]
        got = [row[0] for row in connection.execute(f"SELECT event FROM events WHERE {where}")]
        read = connection.execute("SELECT hvrec_chunks_read()").fetchone()[0] - before
        expected = [event.index for event in events if keep(event)]
        check(got == expected, f"{where}: {len(got)} rows, expected {len(expected)}")
        check(read == chunks, f"{where}: {read} chunks read, expected {chunks}")

    first, middle, last = events[100].n, events[100000].n, events[-100].n
    ask("1", lambda e: True, 3)
    ask(f"n < {first}", lambda e: e.n < first, 1)
    ask(f"n BETWEEN {middle} AND {middle + 1000}", lambda e: middle <= e.n <= middle + 1000, 1)
    ask(f"n = {middle}", lambda e: e.n == middle, 1)
    ask(f"n > {last}", lambda e: e.n > last, 1)
    ask(f"n >= {middle}", lambda e: e.n >= middle, 2)
    ask(f"n > {middle} - 0.5 AND n < {middle} + 0.5", lambda e: e.n == middle, 1)
    ask(f"n < 0 OR n > {events[-1].n}", lambda e: False, 1)
    ask(f"n > {events[-1].n}", lambda e: False, 0)
    ask("n > 5 AND n < 5", lambda e: False, 0)
    ask("event = 70000", lambda e: e.index == 70000, 1)
    ask("event >= 131072", lambda e: e.index >= 131072, 1)
    ask("event IN (3, 70000)", lambda e: e.index in (3, 70000), 2)
    ask("event > 131071 AND event < 131074", lambda e: 131071 < e.index < 131074, 1)
    ask("rowid BETWEEN 65535 AND 65536", lambda e: 65535 <= e.index <= 65536, 2)
    ask("event = 99999999", lambda e: False, 0)
    ask("event = 9223372036854775807", lambda e: False, 0)
    ask("kind = 'END'", lambda e: e.kind == 13, 3)
    ask("kind = 'end'", lambda e: False, 3)
    ask("kind = 'end' COLLATE NOCASE", lambda e: e.kind == 13, 3)
    ask("kind IN ('END', 'SMCCC_CALL')", lambda e: e.kind in (7, 13), 3)
    ask(f"n < {first} AND kind = 'EXIT'", lambda e: e.n < first and e.kind == 9, 1)
    ask("n < 'x' AND event < 5", lambda e: e.index < 5, 1)
    ask("n < NULL AND event < 5", lambda e: False, 1)
    connection.close()


@test
def a_range_of_guest_time_reads_only_the_chunks_it_needs():
    events = record_chunks()
    early, middle, last = (rows(f"SELECT time_ns FROM events WHERE event = {event}")[0][0]
                           for event in (100, 100000, len(events) - 1))
    for first, end, chunks in ((0, early, 1), (middle, middle + 1000, 1), (last - 1000, last, 1), (0, last, 3)):
        slow = rows(f"SELECT count(*) FROM events WHERE +time_ns BETWEEN {first} AND {end}")[0][0]
        fast = rows(f"SELECT count(*), hvrec_chunks_read() FROM events WHERE time_ns BETWEEN {first} AND {end}")[0]
        check(fast == [slow, chunks] and slow > 0, f"{first} to {end}: {fast}, expected {[slow, chunks]}")


@test
def a_join_finds_what_is_near():
    events = record_chunks()
    got = rows("SELECT count(*), sum(b.n - a.n), hvrec_chunks_read() FROM events a "
               "JOIN events b ON b.event = a.event + 1 WHERE a.event < 70000")[0]
    expected = [70000, events[70000].n - events[0].n]
    check(got[:2] == expected, f"{got}, expected {expected}")
    check(got[2] < 10, f"{got[2]} chunks read: the inner table decodes its chunk again and again")
    pairs = sum(1 for a in events[:2000] for b in events[max(0, a.index - 50):a.index + 50] if a.n == b.n)
    got = rows("SELECT count(*) FROM events a JOIN events b ON b.n = a.n WHERE a.event < 2000")[0][0]
    check(got == pairs, f"{got} pairs with the same n, expected {pairs}")


@test
def order_costs_no_sorting():
    record(payload("console"))
    for order, sorts in (("event", False), ("n", False), ("n, event", False), ("time_ns, n", False),
                         ("event, pc", False), ("event DESC", True), ("pc", True), ("n, pc", True)):
        plan = json.dumps(sql(f"EXPLAIN QUERY PLAN SELECT * FROM events ORDER BY {order}"))
        check(("TEMP B-TREE" in plan) == sorts, f"ORDER BY {order}: {plan}")


@test
def the_console_is_a_table_of_lines():
    record("--console", "console", payload("console"))
    with open("console", "rb") as file:
        lines = [line.rstrip(b"\r").decode(errors="replace") for line in file.read().split(b"\n")]
    lines = lines if lines[-1] else lines[:-1]
    got = rows("SELECT line, text, n, time_ns, event FROM console")
    check([row[1] for row in got] == lines, f"{[row[1] for row in got]}, printed was {lines}")
    check([row[0] for row in got] == list(range(1, len(lines) + 1)), "lines are not numbered from 1")
    for _, text, n, time_ns, event in got:
        at = rows(f"SELECT n, time_ns, value, name FROM events WHERE event = {event}")[0]
        check(at[:2] == [n, time_ns] and at[3] == "uart UARTDR", f"line {text!r} does not begin at event {event}: {at}")
        check(not text or at[2] & 0xff == text.encode()[0], f"line {text!r} does not begin with the byte of {at}")
    middle = got[len(got) // 2]
    some = rows(f"SELECT line FROM console WHERE n <= {middle[2]}")
    check(some == [row[:1] for row in got if row[2] <= middle[2]], f"lines up to {middle}: {some}")


@test
def metadata_and_keyframes_can_be_asked():
    record(payload("console"), "word")
    check(rows("SELECT value FROM meta WHERE key = 'bootargs'") == [["word"]], "meta has no bootargs")
    check(rows("SELECT * FROM keyframes") == [], "keyframes without any in the trace")
    connection = connect()
    check(connection.execute("SELECT * FROM keyframes").fetchall() == [], "keyframes without any in the trace")
    connection.close()


@test
def another_trace_can_be_compared():
    record(payload("console"))
    os.rename("trace", "it's another")
    record(payload("wfi"))
    connection = connect()
    connection.execute("CREATE VIRTUAL TABLE temp.other USING hvrec_events('it''s another')")
    got = connection.execute("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM other)").fetchone()
    check(got == (len(harness.events("trace")), len(harness.events("it's another"))), f"counts {got}")
    for text, mention in (("main.evil USING hvrec_events('trace')", "temp"), ("temp.b USING hvrec_events('no')", "no"),
                          ("temp.b USING hvrec_console('trace', 'x')", "temp")):
        try:
            connection.execute(f"CREATE VIRTUAL TABLE {text}")
            raise harness.Failed(f"{text} was accepted")
        except sqlite3.Error as why:
            check(mention in str(why), f"{text}: {why}")
    connection.close()


@test
def an_incomplete_trace_can_be_asked():
    process = harness.start("record", "-o", "trace", "--quiet", payload("hang"))
    harness.machine_pid()
    live = hvrec("sql", "trace", "SELECT count(*) FROM events")
    check(live.status == 0, f"sql of a live trace: {live}")
    process.kill()
    harness.finish(process)
    check(rows("SELECT count(*) FROM events")[0][0] == len(harness.events("trace")), "other events than in the trace")
    check(rows("SELECT count(*) FROM meta WHERE key = 'complete'") == [[0]], "the trace is complete")


@test
def formats_hold_what_they_must():
    record(payload("console"))
    query = "SELECT 1 AS one, NULL AS none, 'a,\"b\"' || char(10) || 'c' AS text, x'00ff' AS blob, 0.5 AS half"
    expected = {"one": 1, "none": None, "text": 'a,"b"\nc', "blob": "00ff", "half": 0.5}
    check(sql(query) == [expected], f"json: {sql(query)}")
    text = hvrec("sql", "trace", query, "--format", "csv").out.decode()
    values = list(csv.reader(io.StringIO(text)))
    check(values == [list(expected), ["1", "", 'a,"b"\nc', "00ff", "0.5"]], f"csv: {text}")
    table = hvrec("sql", "trace", query, "--format", "table").out.decode().splitlines()
    check(len(table) == 3 and table[2].split()[1] == 'a,"b"?c', f"table: {table}")
    check(sql("SELECT * FROM events WHERE 0") == [], "an empty result is no array")
    check(hvrec("sql", "trace", query).out.decode() == text, "not CSV, without a terminal")
    many = hvrec("sql", "trace", "WITH c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) SELECT i FROM c",
                 "--format", "table").out.split()
    check(many[2:] == [b"%d" % i for i in range(1, 5001)], "a long table is not whole")


@test
def statements_come_from_standard_input():
    record(payload("console"))
    with open("queries", "w", encoding="utf-8") as file:
        file.write("SELECT 1;\n-- a comment; with a semicolon\nSELECT\n2; SELECT 3;\nSELECT 4")
    with open("queries", "rb") as file:
        result = hvrec("sql", "trace", stdin=file)
    check(result.status == 0 and result.out.split() == b"1 1 2 2 3 3 4 4".split(), f"{result.out}")
    with open("queries", "w", encoding="utf-8") as file:
        file.write("SELECT 1;\nSELEC 2;\nSELECT 3;\n")
    with open("queries", "rb") as file:
        result = hvrec("sql", "trace", stdin=file)
    error_line(result, "sql")
    check(result.out.split() == [b"1", b"1"], f"after an error: {result.out}")


@test
def a_terminal_gets_a_table_and_goes_on_after_an_error():
    record(payload("console"))
    main, terminal = pty.openpty()
    process = harness.start("sql", "trace", stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    os.write(main, b"SELEC;\nSELECT 7\n AS seven;\n\x04")
    text = b""
    try:
        while piece := os.read(main, 4096):
            text += piece
    except OSError:  # the other end was closed
        pass
    os.close(main)
    harness.finish(process)
    check(process.returncode == 0, f"status {process.returncode}: {text}")
    check(b"syntax error" in text and b"seven\r\n-----\r\n    7\r\n" in text, f"the terminal shows {text}")


@test
def nothing_changes_the_trace():
    record(payload("console"))
    with open("trace", "rb") as file:
        before = file.read()
    for query in ("DELETE FROM chunk", "UPDATE meta SET value = 1", "CREATE TABLE t(a)", "DROP TABLE chunk",
                  "ATTACH 'trace' AS t; DELETE FROM t.chunk", "DELETE FROM events", "PRAGMA user_version = 9",
                  "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = ''", "INSERT INTO console VALUES (1)"):
        result = hvrec("sql", "trace", query)
        with open("trace", "rb") as file:
            check(file.read() == before, f"{query} changed the trace")
        error_line(result, "sql")
    sql("SELECT * FROM events, console LIMIT 10")
    harness.only_files("trace")


@test
def names_of_the_file_do_not_hide_the_tables():
    record(payload("console"))
    expected = rows(GROUPS)
    connection = sqlite3.connect("trace")
    connection.execute("CREATE TABLE events(kind)")
    connection.execute("CREATE VIEW console AS SELECT 1 AS line")
    connection.commit()
    connection.close()
    check(rows(GROUPS) == expected, "the file's own table events was taken")
    check(len(rows("SELECT text FROM console")) > 1, "the file's own view console was taken")
    connection = connect()
    connection.execute("CREATE VIRTUAL TABLE temp.events USING hvrec_events")
    check([list(row) for row in connection.execute(GROUPS)] == expected, "the extension took the file's own table")
    connection.close()


@test
def the_manuals_queries_work():
    record("--smp", "2", *harness.debian("cloud"), "--max-instructions", "600M", status=3)
    with open(os.path.join(harness.TOP, "docs", "SQL.md"), encoding="utf-8") as file:
        queries = [part.split("```")[0] for part in file.read().split("```sql\n")[1:]]
    check(len(queries) > 5, f"{len(queries)} queries in the manual")
    for query in queries:
        result = hvrec("sql", "trace", query, "--format", "csv")
        check(result.status == 0 and result.out.count(b"\n") > 1, f"{query}: {result}, {result.out}")


@test
def bad_questions_are_refused():
    record(payload("console"))
    for query, mention in (("SELEC", "syntax"), ("SELECT nothing FROM events", "nothing"),
                           ("SELECT * FROM nowhere", "nowhere"), ("SELECT 'open", "open"), ("SELECT hvrec_chunks_read(1)", "hvrec_chunks_read"),
                           ("SELECT load_extension('x')", "")):
        line = error_line(hvrec("sql", "trace", query), "sql")
        check(mention in line, f"{query}: {line}")
    for arguments in ((), ("trace", "a", "b"), ("trace", "--format"), ("trace", "SELECT 1", "--format", "xml"),
                      ("--nonsense", "trace"), ("missing", "SELECT 1")):
        error_line(hvrec("sql", *arguments), "sql")
    with open("/dev/full", "wb") as full:
        error_line(hvrec("sql", "trace", "SELECT * FROM events", stdout=full), "sql")
    check(b"usage: hvrec sql" in hvrec("sql", "--help").out, "no help")


@test
def damage_is_an_sql_error():
    record_chunks()
    stored = int(harness.trace_edit("bytes", "trace").split()[0])
    harness.trace_edit("stored", "trace", stored * 2 // 3, 1)
    line = error_line(hvrec("sql", "trace", GROUPS), "sql")
    check("is damaged from event" in line, f"hvrec sql: {line}")
    check(rows("SELECT count(*) FROM events WHERE event < 10")[0] == [10], "the good chunks cannot be read any more")
    connection = connect()
    for table in ("events", "console"):
        try:
            connection.execute(f"SELECT count(*) FROM {table}").fetchall()
            raise harness.Failed(f"the extension did not see the damage in {table}")
        except sqlite3.Error as why:
            check("is damaged from event" in str(why), f"the extension says {why}")
    connection.close()


@test
def what_is_no_trace_is_refused_by_the_extension():
    record(payload("console"))
    with open("trace", "rb") as file:
        data = bytearray(file.read())
    data[63] = 99  # user_version
    with open("newer", "wb") as file:
        file.write(data)
    sqlite3.connect("database").execute("CREATE TABLE meta(key, value)").connection.close()
    for name, mention in (("database", "not a trace"), ("newer", "newer hvrec"), (":memory:", "not a file")):
        connection = connect(name)
        try:
            connection.execute("SELECT * FROM events").fetchall()
            raise harness.Failed(f"{name} was read")
        except sqlite3.Error as why:
            check(mention in str(why), f"{name}: {why}")
        connection.close()


if __name__ == "__main__":
    harness.main()
