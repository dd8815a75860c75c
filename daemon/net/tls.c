/* One connection's TLS. OpenSSL writes to the socket by a BIO of ours, with send(), without SIGPIPE; what has come it
 * reads from our memory, record by record, so that a turn handles as many of them as we like. */
#include "daemon/net/tls.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/net/tls_context.h"
#include "proto/buffer.h"
#include "proto/slice.h"

enum {
	INPUT_BYTES = 64 * 1024, /* a turn takes at most so much from the socket */
	RECORD_HEADER_BYTES = 5,
	RECORD_ROOM_BYTES = 16 * 1024, /* what a record may hold */
	MAX_RECORD_BYTES = RECORD_ROOM_BYTES + 2048,
	RECORDS_A_TURN = 128, /* a peer can make each cost 10 us: an update of keys, a byte in a record of its own */
};

struct tls {
	SSL *ssl;
	int fd;
	bool is_at_end;     /* the peer has closed the socket */
	bool has_failed;    /* nothing may be asked of OpenSSL any more */
	bool is_sending;    /* a record that has been begun waits for room in the socket */
	struct buffer kept; /* has come, and is not read by OpenSSL yet */
	const char *input;  /* during a call: what OpenSSL reads, whole records */
	size_t input_len, input_used;
};

/* -- Records: only whole ones are given to OpenSSL, so that it keeps no buffer of its own for a part of one -- */

/* What came from the socket in this call. It is empty between two calls. */
static _Thread_local char arrived[INPUT_BYTES];

/* How long the first record is; 0 while it is not whole. What cannot be a record is OpenSSL's to refuse: all of it. */
static size_t first_record(const char *bytes, size_t len)
{
	if (len < RECORD_HEADER_BYTES)
		return 0;
	size_t body = (size_t)(unsigned char)bytes[3] << 8 | (unsigned char)bytes[4];
	if (body > MAX_RECORD_BYTES)
		return len;
	return len < RECORD_HEADER_BYTES + body ? 0 : RECORD_HEADER_BYTES + body;
}

/* How long the whole records at the front are together, as far as one turn handles them. */
static size_t whole_records(const char *bytes, size_t len)
{
	size_t whole = 0, record;
	for (unsigned n = 0; n < RECORDS_A_TURN && (record = first_record(bytes + whole, len - whole)) > 0; n++)
		whole += record;
	return whole;
}

static bool has_whole_record(const struct tls *tls)
{
	return first_record(buffer_front(&tls->kept), buffer_len(&tls->kept)) > 0;
}

/* Gives OpenSSL what it can read now, of what is kept, or else of the socket. -1 with errno: the socket has failed.
 * *rest is what give_back() has to keep. */
static int take_input(struct tls *tls, struct slice *rest)
{
	size_t len = buffer_len(&tls->kept);
	const char *bytes = len ? buffer_front(&tls->kept) : arrived;
	if (!has_whole_record(tls) && !tls->is_at_end) {
		if (len)
			memcpy(arrived, bytes, len);
		ssize_t n = recv(tls->fd, arrived + len, sizeof(arrived) - len, 0);
		if (n < 0 && errno != EAGAIN)
			return -1;
		tls->is_at_end = n == 0;
		bytes = arrived;
		len += n > 0 ? (size_t)n : 0;
	}
	tls->input = bytes;
	tls->input_len = whole_records(bytes, len);
	tls->input_used = 0;
	*rest = (struct slice){bytes, len};
	return 0;
}

/* Keeps what OpenSSL has not read. */
static void give_back(struct tls *tls, struct slice rest)
{
	size_t left = rest.len - tls->input_used;
	tls->input = NULL;
	tls->input_len = tls->input_used = 0;
	if (left == 0) {
		buffer_finish(&tls->kept);
	} else if (rest.bytes == arrived) {
		buffer_clear(&tls->kept);
		buffer_append(&tls->kept, rest.bytes + rest.len - left, left);
	} else {
		buffer_consume(&tls->kept, rest.len - left);
	}
	if (tls->kept.failed)
		tls->has_failed = true;
}

/* -- The socket as OpenSSL sees it -- */

static int bio_read(BIO *bio, char *to, int room)
{
	struct tls *tls = BIO_get_data(bio);
	size_t left = tls->input_len - tls->input_used, n = left < (size_t)room ? left : (size_t)room;
	BIO_clear_retry_flags(bio);
	if (n == 0) {
		if (tls->is_at_end)
			return 0;
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, tls->input + tls->input_used, n);
	tls->input_used += n;
	return (int)n;
}

static int bio_write(BIO *bio, const char *from, int len)
{
	const struct tls *tls = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t n = send(tls->fd, from, (size_t)len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls *tls = BIO_get_data(bio);
	(void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && tls->is_at_end);
}

static BIO_METHOD *socket_method(void)
{
	static BIO_METHOD *method; /* one a process, for as long as it lives */
	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (method) {
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_control);
	}
	return method;
}

/* -- Life -- */

struct tls *tls_create(struct tls_context *context, int fd)
{
	BIO_METHOD *method = socket_method();
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *bio = method ? BIO_new(method) : NULL;
	if (!tls || !bio || !(tls->ssl = SSL_new(context->ssl))) {
		BIO_free(bio);
		free(tls);
		ERR_clear_error();
		return NULL;
	}
	tls->fd = fd;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

void tls_destroy(struct tls *tls)
{
	if (!tls)
		return;
	tls_end_sending(tls);
	SSL_free(tls->ssl);
	buffer_finish(&tls->kept);
	free(tls);
}

void tls_break(struct tls *tls)
{
	tls->has_failed = true;
}

/* -- Moving bytes -- */

/* What has become of a call that returned `n` <= 0, in errno. 0: the peer's end. */
static ssize_t explain(struct tls *tls, int n)
{
	switch (SSL_get_error(tls->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		errno = EINPROGRESS;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		tls->has_failed = true;
		return errno == 0 ? 0 : -1;
	default:
		tls->has_failed = true;
		errno = EPROTO;
		return -1;
	}
}

/* Reads record after record, as far as there are whole ones and room for another. Each that has no data counts too:
 * SSL_read() returns after it, as SSL_MODE_AUTO_RETRY is off. */
static ssize_t read_records(struct tls *tls, char *to, size_t room)
{
	size_t total = 0;
	do {
		size_t used_before = tls->input_used;
		ERR_clear_error();
		errno = 0;
		int n = SSL_read(tls->ssl, to + total, (int)(room - total < INT_MAX ? room - total : INT_MAX));
		if (n > 0) {
			total += (size_t)n;
			continue;
		}
		if (SSL_get_error(tls->ssl, n) == SSL_ERROR_WANT_READ && tls->input_used > used_before)
			continue; /* a record without data */
		ssize_t result = explain(tls, n);
		return total > 0 ? (ssize_t)total : result; /* what stands in the way will be told again */
	} while (room - total >= RECORD_ROOM_BYTES && (tls->input_used < tls->input_len || SSL_pending(tls->ssl) > 0));
	errno = EAGAIN;
	return total > 0 ? (ssize_t)total : -1;
}

ssize_t tls_receive(struct tls *tls, char *to, size_t room)
{
	struct slice rest;
	assert(room > 0);
	if (tls->has_failed)
		return 0;
	if (take_input(tls, &rest) < 0)
		return -1;
	ssize_t n = read_records(tls, to, room);
	int saved = errno;
	give_back(tls, rest);
	errno = saved;
	return n;
}

ssize_t tls_send(struct tls *tls, const char *from, size_t len)
{
	if (tls->has_failed) {
		errno = EPIPE;
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	int n = SSL_write(tls->ssl, from, (int)(len < INT_MAX ? len : INT_MAX));
	tls->is_sending = false;
	if (n > 0)
		return n;
	ssize_t result = explain(tls, n);
	if (result < 0 && errno == EINPROGRESS) {
		tls->is_sending = true;
		errno = EAGAIN;
	} else if (result == 0 || errno == EAGAIN) { /* that it would have to read first happens only in renegotiations,
							of which there are none */
		tls->has_failed = true;
		errno = EPROTO;
	}
	return -1;
}

bool tls_has_more(const struct tls *tls)
{
	return tls->has_failed || has_whole_record(tls) || SSL_pending(tls->ssl) > 0 ||
	       SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN;
}

size_t tls_bytes(const struct tls *tls)
{
	if (!tls)
		return 0;
	size_t bytes = SSL_is_init_finished(tls->ssl) ? TLS_CONNECTION_BYTES : TLS_HANDSHAKE_BYTES;
	bool has_pending = SSL_pending(tls->ssl) > 0; /* of a record that there was no room for */
	return bytes + tls->kept.cap + (tls->is_sending ? MAX_RECORD_BYTES : 0) + (has_pending ? MAX_RECORD_BYTES : 0);
}

int tls_shake_hands(struct tls *tls, char error[TLS_ERROR_BYTES])
{
	struct slice rest;
	if (take_input(tls, &rest) < 0) {
		snprintf(error, TLS_ERROR_BYTES, "%s", strerror(errno));
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(tls->ssl);
	ssize_t result = n == 1 ? 1 : explain(tls, n);
	int saved = result == 0 ? ECONNRESET : errno;
	give_back(tls, rest);
	if (n == 1)
		return 0;
	errno = saved;
	if (result < 0 && (errno == EAGAIN || errno == EINPROGRESS))
		return -1;
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	snprintf(error, TLS_ERROR_BYTES, "%s", reason ? reason : strerror(saved));
	tls->has_failed = true;
	ERR_clear_error();
	errno = saved;
	return -1;
}

void tls_end_sending(struct tls *tls)
{
	if (tls->has_failed || !SSL_is_init_finished(tls->ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(
		tls->ssl); /* as well as it goes: where there is no room for it, the end of the socket tells the same */
	ERR_clear_error();
}

/* -- Who it is -- */

static bool subject_is(X509 *certificate, bool (*is_known)(void *arg, const char *name), void *arg)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *bytes;
	bool found = false;
	if (text && X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0 &&
	    BIO_write(text, "", 1) == 1 && BIO_get_mem_data(text, &bytes) > 1)
		found = is_known(arg, bytes);
	BIO_free(text);
	return found;
}

static bool other_name_is(const GENERAL_NAME *name, bool (*is_known)(void *arg, const char *name), void *arg)
{
	char text[512];
	int type;
	const ASN1_STRING *string = GENERAL_NAME_get0_value(name, &type);
	const char *kind = type == GEN_DNS ? "DNS" : type == GEN_URI ? "URI" : type == GEN_EMAIL ? "email" : NULL;
	if (!kind)
		return false;
	const char *bytes = (const char *)ASN1_STRING_get0_data(string);
	size_t len = (size_t)ASN1_STRING_length(string);
	/* A NUL in a name is somebody's trick. */
	if (len == 0 || memchr(bytes, '\0', len) ||
	    (size_t)snprintf(text, sizeof(text), "%s:%.*s", kind, (int)len, bytes) >= sizeof(text))
		return false;
	return is_known(arg, text);
}

bool tls_peer_is(const struct tls *tls, bool (*is_known)(void *arg, const char *name), void *arg)
{
	X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
	if (!certificate)
		return false;
	bool found = false;
	if (SSL_get_verify_result(tls->ssl) == X509_V_OK) {
		found = subject_is(certificate, is_known, arg);
		GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
		for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
			found = other_name_is(sk_GENERAL_NAME_value(names, i), is_known, arg);
		GENERAL_NAMES_free(names);
	}
	X509_free(certificate);
	ERR_clear_error();
	return found;
}
