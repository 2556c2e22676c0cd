/* The table packets: one row for each packet. Its bytes are read when a column needs them, once for a row. */
#include "replay/trace/packet.h"
#include "tools/sql/sql_scan.h"

#include <stdlib.h>

enum column {
	DEVICE = SQL_SCAN_COLUMNS,
	DIRECTION,
	BYTES,
	ETHERTYPE,
	SOURCE,
	DESTINATION,
	PROTOCOL,
	SOURCE_PORT,
	DESTINATION_PORT,
	PAYLOAD,
};

static const struct sql_scan scan = {
	.schema = SQL_SCAN_SCHEMA
	"device TEXT, direction TEXT, bytes INTEGER, ethertype INTEGER, source TEXT, destination TEXT, "
	"protocol INTEGER, source_port INTEGER, destination_port INTEGER, payload BLOB)",
	.columns = SQL_SCAN_RANGE(-1),
	.kinds = SQL_SCAN_KIND(EVENT_PACKET_IN) | SQL_SCAN_KIND(EVENT_PACKET_OUT),
};

struct packets_cursor {
	struct sql_scan_cursor scan;
	uint64_t event; /* whose bytes `data` has, if it is not NULL */
	uint8_t *data;
	size_t bytes;
	struct packet packet;
};

static int packets_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
			   char **message)
{
	int code = sql_table_connect(db, connection, argc, argv, table, message);
	return code == SQLITE_OK ? sql_scan_set(db, *table, &scan) : code;
}

static int packets_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
	(void)table;
	struct packets_cursor *made = calloc(1, sizeof(*made));
	if (!made)
		return SQLITE_NOMEM;
	*cursor = &made->scan.base;
	return SQLITE_OK;
}

static int packets_close(sqlite3_vtab_cursor *cursor)
{
	free(((struct packets_cursor *)cursor)->data);
	return sql_scan_close(cursor);
}

/* Reads the row's bytes. TRACE_ABSENT: an incomplete trace has lost them. */
static enum trace_found payload_get(struct packets_cursor *c, struct error *error)
{
	void *data = NULL;
	if (c->data && c->event == c->scan.at.index)
		return TRACE_FOUND;
	free(c->data);
	c->data = NULL;
	struct trace_reader *trace = ((struct sql_table *)c->scan.base.pVtab)->trace;
	enum trace_found found = trace_get_payload(trace, c->scan.at.index, &data, &c->bytes, error);
	c->data = data;
	c->event = c->scan.at.index;
	if (found == TRACE_FOUND)
		packet_parse(c->data, c->bytes, &c->packet);
	return found;
}

/* A column that is NULL where the packet has no such thing. */
static void result_parsed(sqlite3_context *context, const struct packets_cursor *c, enum column column)
{
	const struct packet *packet = &c->packet;
	if (column == PAYLOAD)
		sqlite3_result_blob64(context, c->data, c->bytes, SQLITE_TRANSIENT);
	else if (column == ETHERTYPE && packet->has_ethertype)
		sqlite3_result_int(context, packet->ethertype);
	else if (column == SOURCE && packet->has_addresses)
		sqlite3_result_text(context, packet->source, -1, SQLITE_TRANSIENT);
	else if (column == DESTINATION && packet->has_addresses)
		sqlite3_result_text(context, packet->destination, -1, SQLITE_TRANSIENT);
	else if (column == PROTOCOL && packet->has_addresses)
		sqlite3_result_int(context, packet->protocol);
	else if (column == SOURCE_PORT && packet->has_ports)
		sqlite3_result_int(context, packet->source_port);
	else if (column == DESTINATION_PORT && packet->has_ports)
		sqlite3_result_int(context, packet->destination_port);
}

static int packets_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	struct packets_cursor *c = (struct packets_cursor *)cursor;
	const struct event *event = &c->scan.at.event;
	struct error error = {.status = STATUS_OK};
	char name[VIRTIO_NAME_BYTES];
	if (sql_scan_column(&c->scan.at, context, column))
		return SQLITE_OK;
	if (column == DEVICE) {
		virtio_list_name(&((struct sql_table *)cursor->pVtab)->devices, event->address, name);
		sqlite3_result_text(context, name, -1, SQLITE_TRANSIENT);
	} else if (column == DIRECTION) {
		sqlite3_result_text(context, event->kind == EVENT_PACKET_IN ? "in" : "out", -1, SQLITE_STATIC);
	} else if (column == BYTES) {
		sql_table_result(context, event_data_bytes(event));
	} else if (payload_get(c, &error) == TRACE_FOUND) {
		result_parsed(context, c, (enum column)column);
	}
	return error.status == STATUS_OK ? SQLITE_OK : sql_table_fail(cursor->pVtab, &error);
}

const sqlite3_module sql_packets_module = SQL_SCAN_MODULE(packets_connect, packets_open, packets_close, packets_column);
