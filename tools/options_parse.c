/* options_parse: the table for getopt_long, the text of --help, and the value of each option that is given.
 *
 * getopt_long answers a letter, or ROW_FIRST and a row's number, so that one number finds the row. */
#include "tools/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 32, ROW_FIRST = 256, ANSWER_HELP = ROW_FIRST + ROWS_MAX };
enum { HELP_COLUMN = 28, HELP_WIDTH = 100, LEFT_BYTES = 128, OPTION_BYTES = 64 };

/* What getopt_long takes. */
struct getopt_table {
	struct option long_options[ROWS_MAX + 2];
	char letters[2 * ROWS_MAX + 3];
};

static bool value_is_optional(const struct option_row *row)
{
	return row->value && row->value[0] == '[';
}

static void table_make(const struct command_options *command, struct getopt_table *table)
{
	size_t count = 0;
	char *letters = table->letters;
	if (command->options_first)
		*letters++ = '+';
	*letters++ = ':'; /* a missing value is not an unknown option */
	for (const struct option_row *row = command->rows; row->name && count < ROWS_MAX; row++, count++) {
		table->long_options[count] = (struct option){.name = row->name,
							     .has_arg = value_is_optional(row) ? optional_argument
									: row->value           ? required_argument
											       : no_argument,
							     .val = ROW_FIRST + (int)count};
		if (row->letter) {
			*letters++ = row->letter;
			if (row->value)
				*letters++ = ':';
		}
	}
	*letters = 0;
	table->long_options[count] = (struct option){.name = "help", .has_arg = no_argument, .val = ANSWER_HELP};
	table->long_options[count + 1] = (struct option){0};
}

/* Prints `text`, which begins at HELP_COLUMN, broken between words. */
static void help_text(const char *text, FILE *to)
{
	size_t column = HELP_COLUMN;
	while (*text) {
		size_t length = strcspn(text, " ");
		if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
			fprintf(to, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		column += (size_t)fprintf(to, "%s%.*s", column > HELP_COLUMN ? " " : "", (int)length, text);
		text += length + (text[length] == ' ');
	}
	fputc('\n', to);
}

/* An option that leaves no room before HELP_COLUMN has a line of its own. */
static void help_row(const struct option_row *row, FILE *to)
{
	char left[LEFT_BYTES], letter[8] = "    ";
	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	int length = snprintf(left, sizeof(left), "  %s--%s%s%s", letter, row->name,
			      row->value && !value_is_optional(row) ? " " : "", row->value ? row->value : "");
	if (length < HELP_COLUMN)
		fprintf(to, "%-*s", HELP_COLUMN, left);
	else
		fprintf(to, "%s\n%*s", left, HELP_COLUMN, "");
	help_text(row->help, to);
}

static void help_print(const struct command_options *command, FILE *to)
{
	fputs(command->head, to);
	if (command->rows[0].name)
		fputc('\n', to);
	for (const struct option_row *row = command->rows; row->name; row++)
		help_row(row, to);
	if (command->tail)
		fprintf(to, "\n%s", command->tail);
}

/* The row of getopt_long's answer, or NULL. */
static const struct option_row *row_find(const struct command_options *command, int answer)
{
	for (const struct option_row *row = command->rows; row->name; row++) {
		if (answer == ROW_FIRST + (int)(row - command->rows) || (row->letter && answer == row->letter))
			return row;
	}
	return NULL;
}

/* Whether several names begin with this word, which is a long option as it was given. */
static bool is_ambiguous(const struct command_options *command, const char *word)
{
	size_t count = 0, bytes = strcspn(word, "=");
	if (bytes < 2 || strncmp(word, "--", 2) != 0)
		return false;
	for (const struct option_row *row = command->rows; row->name; row++)
		count += strncmp(row->name, word + 2, bytes - 2) == 0;
	return count > 1;
}

/* What the user gave and getopt_long refused: a missing value (':'), a value too many, or no option at all ('?'). */
static bool refuse(const struct command_options *command, int answer, char **argv, struct error *error)
{
	bool is_letter = optopt != 0 && optopt < ROW_FIRST;
	bool is_known = row_find(command, optopt) || optopt == ANSWER_HELP;
	const char *why = answer == ':'                                           ? "lacks its value"
			  : is_known                                              ? "takes no value"
			  : !is_letter && is_ambiguous(command, argv[optind - 1]) ? "is ambiguous"
										  : "is unknown";
	char letter[] = {'-', (char)optopt, 0};
	if (is_letter && (optopt < ' ' || optopt > '~'))
		return error_set(error, STATUS_FAILED, "an option letter is no ASCII; see `hvrec %s --help`", argv[0]);
	return error_set(error, STATUS_FAILED, "option %s %s; see `hvrec %s --help`",
			 is_letter ? letter : argv[optind - 1], why, argv[0]);
}

static bool take(const struct command_options *command, int answer, char **argv, void *into, struct error *error)
{
	const struct option_row *row = row_find(command, answer);
	char option[OPTION_BYTES];
	if (!row)
		return refuse(command, answer, argv, error);
	snprintf(option, sizeof(option), "--%s", row->name);
	return row->take(option, optarg, (char *)into + row->offset, error);
}

int options_parse(const struct command_options *command, int argc, char **argv, void *into, struct error *error)
{
	struct getopt_table table;
	int answer;
	table_make(command, &table);
	opterr = 0;
	optind = 0; /* from the start, also if the process has read other options before */
	while ((answer = getopt_long(argc, argv, table.letters, table.long_options, NULL)) >= 0) {
		if (answer == ANSWER_HELP) {
			help_print(command, stdout);
			return 0;
		}
		if (!take(command, answer, argv, into, error))
			return 0;
	}
	if (argc - optind >= command->argument_min && argc - optind <= command->argument_max)
		return optind;
	error_set(error, STATUS_FAILED, "give %s; see `hvrec %s --help`", command->arguments, argv[0]);
	return 0;
}
