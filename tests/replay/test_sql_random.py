"""Random queries to the tables of hvrec sql, by the extension, get the answers that plain sqlite tables with the same
rows give. What is in the rows is other tests' concern; here it is that ranges, order and joins lose none."""
import itertools
import json
import os
import sqlite3

import harness
from harness import SOAK, check, hvrec, payload, record, rng, test

QUERIES = 2000 if SOAK else 300
EXTENSION = os.path.join(harness.BUILD, "hvrec_sqlite")
PLAIN = {
    "events": "event INTEGER PRIMARY KEY, n INTEGER, time_ns INTEGER, vcpu INTEGER, kind TEXT, pc INTEGER, "
              "address INTEGER, value INTEGER, size INTEGER, name TEXT, text TEXT",
    "console": "line INTEGER PRIMARY KEY, event INTEGER, n INTEGER, time_ns INTEGER, text TEXT",
    "keyframes": "n INTEGER, time_ns INTEGER, next_event INTEGER, page_count INTEGER, state_bytes INTEGER, "
                 "stored_bytes INTEGER"}
ODD = ["-1", "0", "NULL", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
       "1e300", "-1e300", "-0.5", "0.5", "9.2e18", "9.3e18", "'abc'", "x'31'", "''", "' 7 '", "'1e3'",
       "0xffffffffffffffff", "(SELECT avg({0}) FROM {1})", "(SELECT max({0}) FROM {1})"]
KINDS = ["kind = 'INJECT'", "kind = 'inject'", "kind LIKE 'mmio%'", "kind IN ('END', 'IDLE')", "kind = NULL",
         "kind = 'END'", "kind COLLATE NOCASE = 'end'", "kind > 'INJECT'", "kind = 'INJECT' AND kind = 'END'"]
NEAR = ["e.event BETWEEN c.event - 2 AND c.event", "e.event = c.event", "e.n = c.n", "e.time_ns = c.time_ns",
        "e.n BETWEEN c.n - 10 AND c.n + 10", "e.time_ns > c.time_ns - 20 AND e.time_ns <= c.time_ns",
        "e.event IN (c.event, c.event + 3, c.line)"]


def connect(trace):
    made = sqlite3.connect(trace)
    if not hasattr(made, "enable_load_extension"):
        raise harness.Skipped("this Python's sqlite3 cannot load extensions")
    made.enable_load_extension(True)
    made.load_extension(EXTENSION)
    return made


def fill_plain(trace):
    plain = sqlite3.connect(":memory:")
    for table, columns in PLAIN.items():
        result = hvrec("sql", trace, f"SELECT * FROM {table}", "--format", "json")
        check(result.status == 0, f"sql {table}: {result}")
        plain.execute(f"CREATE TABLE {table}({columns})")
        marks = ", ".join("?" * len(columns.split(",")))
        rows = [list(row.values()) for row in json.loads(result.out)]
        plain.executemany(f"INSERT INTO {table} VALUES({marks})", rows)
    plain.commit()
    return plain


class Questions:
    """Random queries with bounds near what is in the tables."""

    def __init__(self, plain):
        self.samples = {(table, field): [row[0] for row in plain.execute(f"SELECT {field} FROM {table}")] or [0]
                        for table in PLAIN for field in ("n", "time_ns")}
        for table, field in (("events", "event"), ("console", "event"), ("console", "line")):
            rows = plain.execute(f"SELECT {field} FROM {table}")
            self.samples[table, field] = [row[0] for row in rows] or [0]

    def number(self, table, field):
        return rng.choice(self.samples[table, field]) + rng.choice([0, 0, 0, 1, -1, rng.randrange(-1000, 1000)])

    def value(self, table, field):
        kind = rng.random()
        if kind < 0.3:
            return rng.choice(ODD).format(field, table)
        near = self.number(table, field)
        return f"'{near}'" if kind < 0.35 else f"{near}{rng.choice(['', '', '', '.0', '.5'])}"

    def condition(self, table):
        if table == "events" and rng.random() < 0.2:
            return rng.choice(KINDS)
        field = rng.choice([field for of, field in self.samples if of == table])
        values = [self.value(table, field) for _ in range(rng.randrange(2, 5))]
        column = "rowid" if field in ("line", "event") and (table, field) != ("console", "event") and \
            rng.random() < 0.5 else field
        near = sorted(self.number(table, field) for _ in range(2))
        return rng.choice([
            f"{column} {rng.choice(['=', '<', '<=', '>', '>=', 'IS', '!='])} {values[0]}",
            f"{values[0]} {rng.choice(['=', '<', '<=', '>', '>='])} {column}",
            f"{column} BETWEEN {near[0]} AND {near[1]}", f"{column} BETWEEN {values[0]} AND {values[1]}",
            f"{column} IN ({', '.join(values)})", f"{column} NOT IN ({', '.join(values)})"])

    def where(self, table):
        parts = [self.condition(table)]
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
            parts += [rng.choice(["AND", "AND", "AND", "OR"]), self.condition(table)]
        return " ".join(parts)

    def join(self):
        return (f"SELECT c.line, e.event FROM (SELECT * FROM console ORDER BY line LIMIT 40) c "
                f"{rng.choice(['JOIN', 'LEFT JOIN', 'CROSS JOIN'])} events e ON {rng.choice(NEAR)} "
                f"ORDER BY c.line{rng.choice(['', ' DESC'])}, e.event")

    def query(self):
        if rng.random() < 0.15:
            return self.join()
        table = rng.choice(["events", "events", "events", "console", "keyframes"])
        key = {"events": "event", "console": "line", "keyframes": "n"}[table]
        where = self.where(table)
        order = rng.choice([key, f"{key} DESC", f"n, {key}", f"time_ns, {key}", f"n DESC, {key}",
                            f"time_ns, {key} DESC"])
        limit = rng.choice(["", " LIMIT 7", " LIMIT 0", " LIMIT 5 OFFSET 3", " LIMIT -1 OFFSET 100"])
        return rng.choice([
            f"SELECT * FROM {table} WHERE {where} ORDER BY {order}{limit}",
            f"SELECT count(*), sum({key}), min(n), max(time_ns) FROM {table} WHERE {where}",
            f"SELECT n, count(*) FROM {table} WHERE {where} GROUP BY n ORDER BY n{rng.choice(['', ' DESC'])} LIMIT 50",
            f"SELECT DISTINCT time_ns FROM {table} WHERE {where} ORDER BY 1 LIMIT 50"])


def agree(trace, count):
    asked, plain = connect(trace), fill_plain(trace)
    questions = Questions(plain)
    for _ in range(count):
        query = questions.query()
        got, expected = asked.execute(query).fetchall(), plain.execute(query).fetchall()
        first = next((pair for pair in itertools.zip_longest(got, expected) if pair[0] != pair[1]), None)
        check(got == expected, f"{query}: {len(got)} rows, expected {len(expected)}; first (got, expected) {first}")
    asked.close()


@test
def random_queries_of_an_idle_guest():
    record("--memory", "16M", "--console", "none", payload("wfi"))
    agree("trace", QUERIES)


@test
def random_queries_of_many_chunks():
    record("--memory", "16M", "--console", "none", payload("timer_physical"))
    agree("trace", QUERIES // 10)


@test
def random_queries_of_a_part():
    agree(os.path.join(harness.TOP, "tests", "golden", "v2-m1-timer_start_n.trace"), QUERIES // 2)


if __name__ == "__main__":
    harness.main()
