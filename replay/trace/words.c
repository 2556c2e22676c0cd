/* A word ends with a space or the text. */
#include "replay/trace/words.h"

#include <string.h>

const char *words_after(const char *text, const char *word)
{
	size_t length = strlen(word);
	if (strncmp(text, word, length) != 0 || (text[length] && text[length] != ' '))
		return NULL;
	return text + length + strspn(text + length, " ");
}

bool words_trim(const char *text, char *trimmed, size_t bytes)
{
	text += strspn(text, " \t\r\n");
	size_t length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		length--;
	if (length >= bytes)
		return false;
	memcpy(trimmed, text, length);
	trimmed[length] = 0;
	return true;
}
