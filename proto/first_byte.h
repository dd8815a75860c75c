/* What a connection speaks, as its first byte tells: who has come to the wrong port can be told so at once, and not
 * after half a minute. Pure. */
#ifndef MILLRACE_PROTO_FIRST_BYTE_H
#define MILLRACE_PROTO_FIRST_BYTE_H

enum first_byte {
	FIRST_BYTE_OF_FRAME, /* of a length that is below 16 MiB */
	FIRST_BYTE_OF_TLS,   /* a record of a handshake */
	FIRST_BYTE_OF_HTTP,  /* a method, or the empty line that may stand before it */
	FIRST_BYTE_OF_OTHER,
};

static inline enum first_byte first_byte_of(char byte)
{
	enum { TLS_HANDSHAKE = 0x16 };
	if (byte == 0)
		return FIRST_BYTE_OF_FRAME;
	if (byte == TLS_HANDSHAKE)
		return FIRST_BYTE_OF_TLS;
	return (byte >= 'A' && byte <= 'Z') || byte == '\r' || byte == '\n' ? FIRST_BYTE_OF_HTTP : FIRST_BYTE_OF_OTHER;
}

#endif
