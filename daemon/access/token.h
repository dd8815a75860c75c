/* A lease's token as the protocol writes it: 32 hexadecimal digits. */
#ifndef MILLRACE_ACCESS_TOKEN_H
#define MILLRACE_ACCESS_TOKEN_H

#include "daemon/core/core.h"

enum { TOKEN_TEXT_BYTES = 32 };

void token_format(struct core_token token, char text[TOKEN_TEXT_BYTES]);
bool token_parse(struct slice text, struct core_token *token); /* false: it is none */

#endif
