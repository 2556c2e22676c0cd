/* The stub's transport: addresses, one client and a second, clients that come and go, standard input and output. */
#include "gdbstub/server.h"
#include "tests/unit/gdbstub_client.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct toy toy;
static char path[64], address[80];

static void open_toy(void)
{
	toy_open(&toy, &toy_ops, 1000);
	gdbstub_disconnect(toy.stub);
	toy.detach_count = 0;
	snprintf(path, sizeof path, "/tmp/test-gdbstub-%d.sock", (int)getpid());
	snprintf(address, sizeof address, "unix:%s", path);
}

static void close_toy(void)
{
	toy_close(&toy);
	unlink(path);
}

TestSuite(gdbstub_server, .init = open_toy, .fini = close_toy, .timeout = 900);

static struct server *open_server(const char *at)
{
	struct error error = {0};
	struct server *server = server_open(at, false, toy.stub, &error);

	cr_assert(server, "%s", error.text);
	return server;
}

static int connect_unix(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path, path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static void turn(struct server *server)
{
	struct pollfd fds[SERVER_FD_COUNT_MAX];

	for (int i = 0; i < 6; i++) {
		const nfds_t count = server_poll(server, fds);

		cr_assert_leq(count, (nfds_t)SERVER_FD_COUNT_MAX);
		poll(fds, count, 5);
		server_service(server, fds, count);
	}
}

/* Sends a whole frame and expects these bytes. */
static void expect(struct server *server, int fd, const char *request, const char *reply)
{
	char buffer[4096];

	cr_assert_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	turn(server);
	const ssize_t count = recv(fd, buffer, sizeof buffer - 1, MSG_DONTWAIT);
	cr_assert_geq(count, 0, "%s", request);
	buffer[count] = '\0';
	cr_expect_str_eq(buffer, reply);
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

Test(gdbstub_server, refuses_bad_addresses)
{
	static const char *const bad[] = {
		"",          "1234",   "localhost", "localhost:", "127.0.0.1:port",  "[::1:1",
		"0.0.0.0:0", "[::]:0", "8.8.8.8:0", "unix:",      "127.0.0.1:99999", "unix:/nonexistent/folder/socket",
		":",         "]:1",    "[]x:1"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error error = {0};

		cr_expect_null(server_open(bad[i], false, toy.stub, &error), "%s", bad[i]);
		cr_expect_eq(error.status, STATUS_FAILED);
	}
}

Test(gdbstub_server, refuses_a_path_that_is_too_long_or_a_file)
{
	char text[400] = "unix:";
	struct error error = {0};

	memset(text + 5, 'x', sizeof text - 6);
	text[sizeof text - 1] = '\0';
	cr_expect_null(server_open(text, false, toy.stub, &error));
	close(open(path, O_CREAT | O_WRONLY, 0600));
	error = (struct error){0};
	cr_expect_null(server_open(address, false, toy.stub, &error));
	cr_expect_eq(access(path, F_OK), 0);
}

Test(gdbstub_server, tcp_on_loopback)
{
	struct server *server = open_server(":0");
	struct sockaddr_in at = {.sin_family = AF_INET};
	const char *name = server_address(server);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(strncmp(name, "127.0.0.1:", 10), 0, "%s", name);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)atoi(name + 10));
	cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	turn(server);
	expect(server, fd, "$qC#b4", "+$QC1#c5");
	close(fd);
	server_close(server);
}

Test(gdbstub_server, other_addresses_only_when_allowed)
{
	struct error error = {0};
	struct server *server = server_open("0.0.0.0:0", true, toy.stub, &error);

	cr_assert(server);
	server_close(server);
}

Test(gdbstub_server, a_second_client_is_refused)
{
	struct server *server = open_server(address);
	const int first = connect_unix();

	turn(server);
	const int second = connect_unix();
	turn(server);
	cr_expect(is_closed(second));
	cr_expect(server_is_connected(server));
	expect(server, first, "$qC#b4", "+$QC1#c5");
	close(first);
	close(second);
	server_close(server);
	cr_expect_eq(toy.detach_count, 1);
	cr_expect_neq(access(path, F_OK), 0);
}

Test(gdbstub_server, clients_come_and_go)
{
	struct server *server = open_server(address);

	for (uint32_t i = 0; i < 3; i++) {
		int fd = connect_unix();

		turn(server);
		expect(server, fd, "$Z0,40080018,4#ab", "+$OK#9a");
		expect(server, fd, "$D#44", "+$OK#9a");
		cr_expect(is_closed(fd));
		cr_expect_not(server_is_connected(server));
		cr_expect_eq(toy.break_count, 0);
		close(fd);
		fd = connect_unix();
		turn(server);
		expect(server, fd, "$Z0,40080018,4#ab", "+$OK#9a");
		close(fd);
		turn(server);
		cr_expect_not(server_is_connected(server));
		cr_expect_eq(toy.break_count, 0);
		cr_expect_eq(toy.detach_count, 2 * (i + 1));
	}
	server_close(server);
}

Test(gdbstub_server, nobody_is_accepted_while_the_target_runs_for_one_that_left)
{
	char reply[256] = "";
	struct server *server = open_server(address);
	int fd = connect_unix();

	turn(server);
	expect(server, fd, "$qC#b4", "+$QC1#c5");
	cr_assert_eq(write(fd, "$vCont;c#a8", 11), 11);
	turn(server);
	close(fd);
	turn(server);
	fd = connect_unix();
	turn(server);
	cr_expect_not(server_is_connected(server));
	toy_run(&toy, 10);
	turn(server);
	cr_expect(server_is_connected(server));
	cr_assert_eq(write(fd, "$?#3f", 5), 5);
	turn(server);
	cr_assert_gt(recv(fd, reply, sizeof reply - 1, MSG_DONTWAIT), 0);
	cr_expect_eq(strncmp(reply, "+$T02thread:1;", 14), 0, "%s", reply);
	close(fd);
	server_close(server);
}

Test(gdbstub_server, a_stale_socket_file_is_replaced_and_a_live_one_is_not)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct error error = {0};

	strcpy(at.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd);
	struct server *server = open_server(address);
	cr_expect_null(server_open(address, false, toy.stub, &error));
	server_close(server);
}

Test(gdbstub_server, a_client_that_asks_for_more_than_it_reads)
{
	static char requests[0x8000], replies[0x10000];
	struct server *server = open_server(address);
	const int fd = connect_unix();
	const char packet[] = "$m40080000,2000#e7";
	size_t sent = 0, received = 0, wanted;

	for (size_t i = 0; i < TOY_RAM_BYTES; i++)
		toy.ram[i] = (uint8_t)(i * 7 + 1);
	for (; sent + sizeof packet < sizeof requests; sent += sizeof packet - 1)
		memcpy(requests + sent, packet, sizeof packet - 1);
	turn(server);
	cr_assert_eq(write(fd, requests, sent), (ssize_t)sent);
	wanted = sent / (sizeof packet - 1) * (2 * TOY_RAM_BYTES + 5);
	while (received < wanted) {
		turn(server);
		for (ssize_t n; (n = recv(fd, replies, sizeof replies, MSG_DONTWAIT)) > 0;)
			received += (size_t)n;
	}
	cr_expect_eq(received, wanted);
	close(fd);
	server_close(server);
}

/* While a monitor command is in the middle of something no packet is handled: it is kept, and what waits is sent. */
Test(gdbstub_server, a_monitor_command_hears_what_ends_it_and_keeps_it)
{
	char reply[256] = "";
	struct server *server = open_server(address);
	const int fd = connect_unix();

	turn(server);
	expect(server, fd, "$qRcmd,6c61746572#62", "+");
	cr_expect_not(server_hears(server), "nothing was sent");
	cr_assert_eq(write(fd, "+-", 2), 2);
	cr_expect_not(server_hears(server), "acknowledgements end nothing");
	gdbstub_progress(toy.stub, ".", 1);
	server_flush(server);
	cr_assert_gt(recv(fd, reply, sizeof reply - 1, MSG_DONTWAIT), 0);
	cr_expect_eq(strncmp(reply, "$O", 2), 0, "%s", reply);
	cr_assert_eq(write(fd, "\x03", 1), 1);
	cr_expect(server_hears(server));
	cr_expect(server_hears(server), "it was told, and is still there");
	cr_expect_not(toy.is_interrupted, "the stub is not called");
	cr_expect_not(server_is_behind(server), "nothing waits to be sent");
	gdbstub_progress(toy.stub, ".", 1);
	cr_expect(server_is_behind(server));
	turn(server);
	cr_expect(toy.is_interrupted, "it is fed afterwards");
	cr_expect_not(server_is_behind(server));
	close(fd);
	cr_expect(server_hears(server), "the client is gone");
	toy_run(&toy, 10);
	turn(server);
	cr_expect_not(server_is_connected(server));
	cr_expect_not(server_hears(server));
	server_close(server);
}

Test(gdbstub_server, standard_input_and_output)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	dup2(pair[1], STDIN_FILENO);
	dup2(pair[1], STDOUT_FILENO);
	struct server *server = open_server("-");
	cr_expect_str_eq(server_address(server), "-");
	expect(server, pair[0], "$qC#b4", "+$QC1#c5");
	cr_expect_not(server_is_closed(server));
	close(pair[0]);
	turn(server);
	cr_expect(server_is_closed(server));
	cr_expect_eq(toy.detach_count, 1);
	cr_expect_eq(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
	server_close(server);
}
