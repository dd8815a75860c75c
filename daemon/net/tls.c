/* One connection's TLS. OpenSSL reads and writes the socket itself, by a BIO of ours: with recv() and send(), without
 * SIGPIPE. */
#include "daemon/net/tls.h"

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

#include "daemon/net/tls_private.h"

struct tls {
	SSL *ssl;
	int fd;
	bool is_at_end;  /* the peer has closed the socket */
	bool has_failed; /* nothing may be asked of OpenSSL any more */
};

/* -- The socket as OpenSSL sees it -- */

static int after_call(BIO *bio, ssize_t n)
{
	BIO_clear_retry_flags(bio);
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : (int)n;
}

static int bio_read(BIO *bio, char *to, int room)
{
	struct tls *tls = BIO_get_data(bio);
	int n = after_call(bio, recv(tls->fd, to, (size_t)room, 0));
	tls->is_at_end = n == 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	return n;
}

static int bio_write(BIO *bio, const char *from, int len)
{
	const struct tls *tls = BIO_get_data(bio);
	int n = after_call(bio, send(tls->fd, from, (size_t)len, MSG_NOSIGNAL));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return n;
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

ssize_t tls_receive(struct tls *tls, char *to, size_t room)
{
	size_t total = 0;
	if (tls->has_failed)
		return 0;
	do {
		size_t left = room - total;
		ERR_clear_error();
		errno = 0;
		int n = SSL_read(tls->ssl, to + total, (int)(left < INT_MAX ? left : INT_MAX));
		if (n > 0) {
			total += (size_t)n;
			continue;
		}
		if (total > 0 && SSL_get_error(tls->ssl, n) != SSL_ERROR_SYSCALL &&
		    SSL_get_error(tls->ssl, n) != SSL_ERROR_SSL)
			break; /* that it has to wait, or has ended, will be told again */
		ssize_t result = explain(tls, n);
		return total > 0 ? (ssize_t)total : result;
	} while (total < room && SSL_has_pending(tls->ssl));
	return (ssize_t)total;
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
	if (n > 0)
		return n;
	ssize_t result = explain(tls, n);
	if (result < 0 && errno == EINPROGRESS)
		errno = EAGAIN;
	else if (result == 0 || errno == EAGAIN) { /* that it would have to read first happens only in renegotiations,
						      of which there are none */
		tls->has_failed = true;
		errno = EPROTO;
	}
	return -1;
}

bool tls_has_more(const struct tls *tls)
{
	return tls->has_failed || SSL_has_pending(tls->ssl) || SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN;
}

int tls_shake_hands(struct tls *tls, char error[TLS_ERROR_BYTES])
{
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(tls->ssl);
	if (n == 1)
		return 0;
	ssize_t result = explain(tls, n);
	if (result < 0 && (errno == EAGAIN || errno == EINPROGRESS))
		return -1;
	int saved = result == 0 ? ECONNRESET : errno;
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	snprintf(error, TLS_ERROR_BYTES, "%s", reason ? reason : strerror(saved));
	tls->has_failed = true;
	errno = saved;
	ERR_clear_error();
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
