#include "client/net/secure.h"

#include <arpa/inet.h>
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

#include "client/net/uplink_result.h"
#include "client/machine/failure.h"

enum { /* errors, beside those of the system: this much less than zero, and a number of OpenSSL's less */
       UNTRUSTED = -20000, /* of X509_V_ERR_* */
       FAILED = -30000,    /* of SSL_R_* */
       READ_BUFFER_BYTES = 64 * 1024,
};

struct secure {
	SSL_CTX *context; /* NULL: it was not needed yet */
	char *ca, *cert, *key;
	bool accepts_any;
};

/* -- The socket as OpenSSL sees it: without SIGPIPE, and never waiting -- */

static int socket_read(BIO *bio, char *to, int room)
{
	ssize_t n = recv((int)(intptr_t)BIO_get_data(bio), to, (size_t)room, MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return (int)n;
}

static int socket_write(BIO *bio, const char *from, int len)
{
	ssize_t n = send((int)(intptr_t)BIO_get_data(bio), from, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH || (command == BIO_CTRL_EOF && BIO_test_flags(bio, BIO_FLAGS_IN_EOF));
}

static BIO_METHOD *method;
static CRYPTO_ONCE method_once = CRYPTO_ONCE_STATIC_INIT;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (!method)
		return;
	BIO_meth_set_read(method, socket_read);
	BIO_meth_set_write(method, socket_write);
	BIO_meth_set_ctrl(method, socket_control);
}

/* -- What is shared -- */

static int refuse(const char *what, const char *file)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
	int status = fail(MR_EARGUMENT, "TLS: the %s %s: %s", what, file, reason ? reason : "it cannot be used");

	ERR_clear_error();
	return status;
}

/* OpenSSL would ask for the pass phrase of a key at the terminal. */
static int no_passphrase(char *to, int size, int writing, void *argument)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)argument;
	return -1;
}

static int load(const struct secure *secure, SSL_CTX *context)
{
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	if (!secure->ca && SSL_CTX_set_default_verify_paths(context) != 1)
		return refuse("system's certificates", "");
	if (secure->ca && SSL_CTX_load_verify_locations(context, secure->ca, NULL) != 1)
		return refuse("certificates of ca", secure->ca);
	if (!secure->cert != !secure->key)
		return fail(MR_EARGUMENT, "TLS: a certificate needs its key, and a key its certificate");
	if (secure->cert && SSL_CTX_use_certificate_chain_file(context, secure->cert) != 1)
		return refuse("certificate", secure->cert);
	if (secure->key && (SSL_CTX_use_PrivateKey_file(context, secure->key, SSL_FILETYPE_PEM) != 1 ||
			    SSL_CTX_check_private_key(context) != 1))
		return refuse("key", secure->key);
	return MR_OK;
}

static int make_context(struct secure *secure)
{
	SSL_CTX *context = NULL;
	int status;

	if (CRYPTO_THREAD_run_once(&method_once, make_method) && method)
		context = SSL_CTX_new(TLS_client_method());
	if (!context)
		return fail(MR_EMEMORY, "not enough memory for TLS");
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER_BYTES);
	SSL_CTX_set_verify(context, secure->accepts_any ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	status = load(secure, context);
	if (status == MR_OK)
		secure->context = context;
	else
		SSL_CTX_free(context);
	return status;
}

static char *copy(const char *string, bool *is_lacking)
{
	char *copied = string ? strdup(string) : NULL;

	*is_lacking = *is_lacking || (string && !copied);
	return copied;
}

int secure_create(struct secure **out, const struct mr_tls_options *options, const struct url_list *urls)
{
	struct secure *secure = calloc(1, sizeof(*secure));
	bool is_needed = false, is_lacking = !secure;
	int status = MR_OK;

	*out = NULL;
	for (size_t i = 0; i < urls->n; i++)
		is_needed = is_needed || urls->urls[i].kind == URL_TLS;
	if (secure) {
		secure->accepts_any = options->insecure_accept_any_certificate;
		secure->ca = copy(options->ca, &is_lacking);
		secure->cert = copy(options->cert, &is_lacking);
		secure->key = copy(options->key, &is_lacking);
	}
	if (is_lacking)
		status = fail(MR_EMEMORY, "not enough memory for TLS");
	else if (is_needed)
		status = make_context(secure);
	if (status == MR_OK)
		*out = secure;
	else
		secure_destroy(secure);
	return status;
}

void secure_destroy(struct secure *secure)
{
	if (!secure)
		return;
	SSL_CTX_free(secure->context);
	free(secure->ca);
	free(secure->cert);
	free(secure->key);
	free(secure);
}

/* -- One connection -- */

/* Names, and addresses, are looked for at different places of a certificate. */
static int expect_host(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 ? (int)SSL_set_tlsext_host_name(ssl, host) : 0;
}

struct ssl_st *secure_begin(struct secure *secure, int fd, const char *host)
{
	SSL *ssl = NULL;
	BIO *bio = NULL;

	if (!secure->context && make_context(secure) != MR_OK)
		return NULL;
	ssl = SSL_new(secure->context);
	bio = ssl ? BIO_new(method) : NULL;
	if (bio) {
		BIO_set_data(bio, (void *)(intptr_t)fd);
		BIO_set_init(bio, 1);
		SSL_set_bio(ssl, bio, bio);
		SSL_set_connect_state(ssl);
	}
	if (bio && (secure->accepts_any || expect_host(ssl, host) == 1))
		return ssl;
	SSL_free(ssl);
	fail(MR_EMEMORY, "not enough memory for TLS");
	return NULL;
}

void secure_end(struct ssl_st *ssl)
{
	if (!ssl)
		return;
	ERR_clear_error();
	if (SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}

/* What has become of a call that returned `n` <= 0: UPLINK_AGAIN, with *wants_write; UPLINK_CLOSED; or an error. */
static ssize_t explain(SSL *ssl, int n, bool *wants_write)
{
	int saved = errno, reason;

	*wants_write = false;
	switch (SSL_get_error(ssl, n)) {
	case SSL_ERROR_WANT_WRITE:
		*wants_write = true;
		return UPLINK_AGAIN;
	case SSL_ERROR_WANT_READ:
		return UPLINK_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return UPLINK_CLOSED;
	case SSL_ERROR_SYSCALL:
		return saved ? -saved : UPLINK_CLOSED;
	default:
		reason = ERR_GET_REASON(ERR_peek_error());
		ERR_clear_error();
		if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
			return UNTRUSTED - SSL_get_verify_result(ssl);
		return FAILED - reason;
	}
}

int secure_shake_hands(struct ssl_st *ssl)
{
	bool wants_write;
	ssize_t result;
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(ssl);
	if (n == 1)
		return UPLINK_CONNECTED;
	result = explain(ssl, n, &wants_write);
	if (result == UPLINK_AGAIN)
		return wants_write ? UPLINK_CONNECTING : UPLINK_SHAKING;
	return (int)result;
}

ssize_t secure_read(struct ssl_st *ssl, void *bytes, size_t len)
{
	size_t total = 0;
	bool wants_write;
	int n;

	do {
		size_t left = len - total;

		ERR_clear_error();
		errno = 0;
		n = SSL_read(ssl, (char *)bytes + total, left < INT_MAX ? (int)left : INT_MAX);
		if (n > 0)
			total += (size_t)n;
	} while (n > 0 && total < len && SSL_has_pending(ssl));
	return total > 0 ? (ssize_t)total : explain(ssl, n, &wants_write);
}

ssize_t secure_write(struct ssl_st *ssl, const void *bytes, size_t len)
{
	bool wants_write;
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_write(ssl, bytes, len < INT_MAX ? (int)len : INT_MAX);
	return n > 0 ? n : explain(ssl, n, &wants_write);
}

bool secure_has_more(const struct ssl_st *ssl)
{
	return SSL_has_pending(ssl) || SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
}

const char *secure_message(ssize_t error)
{
	static _Thread_local char message[200];
	const char *reason;

	if (error <= FAILED) {
		reason = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, (unsigned long)(FAILED - error)));
		snprintf(message, sizeof message, "TLS: %s", reason ? reason : "it could not be agreed on");
		return message;
	}
	if (error == UPLINK_UNUSABLE)
		return mr_message();
	if (error <= UNTRUSTED) {
		snprintf(message, sizeof message, "TLS: the daemon's certificate cannot be trusted: %s",
			 X509_verify_cert_error_string(UNTRUSTED - (long)error));
		return message;
	}
	return NULL;
}
