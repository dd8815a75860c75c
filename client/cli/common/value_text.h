/* JSON as text: what people write made into values, and values made into what people read. Pure. */
#ifndef MILLRACE_CLI_COMMON_VALUE_TEXT_H
#define MILLRACE_CLI_COMMON_VALUE_TEXT_H

#include "proto/buffer.h"
#include "proto/slice.h"

enum { VALUE_TEXT_ERROR_BYTES = 320 };

/* Appends the text as a JSON string to `out`. 0; or -1 (and nothing appended) if it is not UTF-8 or there is no memory:
 * in `error`. */
int value_text_quote(struct slice text, struct buffer *out, char error[VALUE_TEXT_ERROR_BYTES]);

/* The value that a text stands for: one of JSON that can be put, without the white space around it; or, if it is plain,
 * a string, which is written to `made` in place of what is there. 0; or -1, and in `error` what is wrong and what to
 * do, for people. */
int value_text_read(struct slice text, bool is_plain, struct buffer *made, struct slice *raw,
		    char error[VALUE_TEXT_ERROR_BYTES]);

/* Appends a value as one line: its bytes, but without the white space between its parts if that has line breaks. With
 * `for_terminal` what a terminal might obey (DEL, C1) is escaped: the same value in other bytes. */
void value_text_append_line(struct buffer *out, struct slice value, bool for_terminal);

/* Appends a string's characters, without quotes and escapes; another value as it is. */
void value_text_append_plain(struct buffer *out, struct slice value);

#endif
