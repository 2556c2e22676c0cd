/* The tables disk and packets, of the small trace of a guest with devices. */
#include "tests/unit/device_fixture.h"
#include "tools/sql/sql_register.h"

TestSuite(sql_devices, .init = fixture_setup, .fini = fixture_teardown);

static sqlite3 *open_tables(void)
{
	struct error error = {0};
	sqlite3 *db;
	cr_assert(device_write(path, &error), "%s", error.text);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sql_register(db), SQLITE_OK);
	return db;
}

/* The first column of the query's rows, with blanks between; NULL is "-". */
static const char *rows(sqlite3 *db, const char *sql)
{
	static char text[1024];
	sqlite3_stmt *statement;
	size_t used = 0;
	text[0] = 0;
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	int code;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *value = (const char *)sqlite3_column_text(statement, 0);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "",
					 value ? value : "-");
	}
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? text : "error";
}

Test(sql_devices, a_row_for_each_request)
{
	sqlite3 *db = open_tables();
	cr_expect_str_eq(rows(db, "SELECT event FROM disk"), "2 3 4 6 10 11");
	cr_expect_str_eq(rows(db, "SELECT op FROM disk"), "read write flush write zero error");
	cr_expect_str_eq(rows(db, "SELECT DISTINCT disk FROM disk"), "vda");
	cr_expect_str_eq(rows(db, "SELECT sector FROM disk"), "0 0 - 0 0 7");
	cr_expect_str_eq(rows(db, "SELECT bytes FROM disk"), "4096 4096 - 512 4608 -");
	cr_expect_str_eq(rows(db, "SELECT n || '/' || time_ns || '/' || vcpu FROM disk WHERE event IN (3, 10)"),
			 "100/100/1 200/1200/0");
	cr_expect_str_eq(rows(db, "SELECT event FROM disk WHERE n > 100"), "10 11");
	cr_expect_str_eq(rows(db, "SELECT op FROM disk WHERE event = 7"), "", "a packet is none");
	cr_expect_str_eq(rows(db, "SELECT e.kind FROM disk d JOIN events e ON e.event = d.event - 1"),
			 "EXIT DISK_READ DISK_WRITE EXIT PACKET_IN DISK_ZERO");
	sqlite3_close(db);
}

Test(sql_devices, a_row_for_each_packet)
{
	sqlite3 *db = open_tables();
	cr_expect_str_eq(rows(db, "SELECT event FROM packets"), "7 9 13");
	cr_expect_str_eq(rows(db, "SELECT device || ' ' || direction || ' ' || bytes FROM packets"),
			 "virtio3 out 60 virtio3 in 90 virtio3 out 3");
	cr_expect_str_eq(rows(db, "SELECT ethertype FROM packets"), "2048 34525 -");
	cr_expect_str_eq(rows(db, "SELECT source || '>' || destination FROM packets"),
			 "10.0.2.15>10.0.2.3 fec0::2>fec0::f -");
	cr_expect_str_eq(rows(db, "SELECT protocol || ':' || source_port || '>' || destination_port FROM packets"),
			 "17:40000>53 6:8080>22 -");
	cr_expect_str_eq(rows(db, "SELECT length(payload) FROM packets"), "60 90 3");
	cr_expect_str_eq(rows(db, "SELECT hex(payload) FROM packets WHERE event = 13"), "010203");
	cr_expect_str_eq(rows(db, "SELECT time_ns FROM packets WHERE destination_port = 22"), "1200");
	sqlite3_close(db);
}

Test(sql_devices, damage_is_an_error_where_it_is_asked_for)
{
	sqlite3 *db = open_tables();
	cr_assert_eq(sqlite3_exec(db, "UPDATE payload_group SET checksum = checksum + 1", NULL, NULL, NULL), SQLITE_OK,
		     "%s", sqlite3_errmsg(db));
	cr_expect_str_eq(rows(db, "SELECT bytes FROM packets"), "60 90 3");
	cr_expect_str_eq(rows(db, "SELECT source FROM packets"), "error");
	cr_expect_eq(sqlite3_close(db), SQLITE_OK);
}

Test(sql_devices, a_trace_without_devices_has_no_rows)
{
	sqlite3 *db;
	fixture_record(100, 0);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sql_register(db), SQLITE_OK);
	cr_expect_str_eq(rows(db, "SELECT event FROM disk UNION ALL SELECT event FROM packets"), "");
	sqlite3_close(db);
}
