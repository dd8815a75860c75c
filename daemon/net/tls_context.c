/* Contexts: TLS 1.2 and 1.3, OpenSSL's own choice of ciphers, no compression, no renegotiation, no resumption.
 * Connections live long, so resumption would save little, and every connection's certificate is looked at anew. An end
 * that TLS did not announce is an end: a frame says itself how long it is, so nothing that was cut off is taken for
 * whole. */
#define _DEFAULT_SOURCE /* timegm */
#include "daemon/net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int refuse(char error[TLS_ERROR_BYTES], const char *what, const char *file)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	/* Errors of the system have no text of OpenSSL's. */
	if (code && ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	snprintf(error, TLS_ERROR_BYTES, "TLS: %s %.160s: %.80s", what, file, reason ? reason : "no memory");
	ERR_clear_error();
	return -1;
}

static int check_key_file(const char *path, char error[TLS_ERROR_BYTES])
{
	struct stat status;
	if (stat(path, &status) < 0) {
		snprintf(error, TLS_ERROR_BYTES, "TLS: the key %.160s: %.80s", path, strerror(errno));
		return -1;
	}
	if (status.st_mode & S_IROTH) {
		snprintf(error, TLS_ERROR_BYTES, "TLS: the key %.160s: everybody can read it; expected chmod o-r",
			 path);
		return -1;
	}
	return 0;
}

static int load_clients_ca(SSL_CTX *ssl, const struct tls_settings *settings, char error[TLS_ERROR_BYTES])
{
	int mode = SSL_VERIFY_PEER;
	if (settings->client_certificates <= CLIENT_CERTIFICATES_NONE)
		return 0;
	if (settings->client_certificates == CLIENT_CERTIFICATES_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->ca);
	if (!names || SSL_CTX_load_verify_locations(ssl, settings->ca, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return refuse(error, "the certificates of ca", settings->ca);
	}
	SSL_CTX_set_client_CA_list(ssl, names);
	SSL_CTX_set_verify(ssl, mode, NULL);
	return 0;
}

/* A key with a pass phrase would make OpenSSL ask at the terminal. */
static int no_passphrase(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return -1;
}

static SSL_CTX *make(const struct tls_settings *settings, char error[TLS_ERROR_BYTES])
{
	SSL_CTX *ssl = NULL;
	ERR_clear_error();
	if (check_key_file(settings->key, error) < 0)
		return NULL;
	if (!(ssl = SSL_CTX_new(TLS_server_method())) || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1) {
		refuse(error, "cannot start with", settings->cert);
		goto failed;
	}
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY); /* tls.c counts records, those without data too */
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ssl, settings->cert) != 1) {
		refuse(error, "the certificate", settings->cert);
		goto failed;
	}
	if (SSL_CTX_use_PrivateKey_file(ssl, settings->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ssl) != 1) {
		refuse(error, "the key", settings->key);
		goto failed;
	}
	if (load_clients_ca(ssl, settings, error) == 0)
		return ssl;

failed:
	SSL_CTX_free(ssl);
	return NULL;
}

struct tls_context *tls_context_create(const struct tls_settings *settings, char error[TLS_ERROR_BYTES])
{
	struct tls_context *context = calloc(1, sizeof(*context));
	if (!context) {
		snprintf(error, TLS_ERROR_BYTES, "TLS: no memory");
		return NULL;
	}
	if (tls_context_reload(context, settings, error) < 0) {
		free(context);
		return NULL;
	}
	return context;
}

void tls_context_destroy(struct tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

/* 0 for what is no time, which OpenSSL would have refused. */
static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm utc;
	return ASN1_TIME_to_tm(time, &utc) == 1 ? (int64_t)timegm(&utc) : 0;
}

bool tls_context_is_out_of_date(const struct tls_context *context, int64_t now_s, char text[TLS_ERROR_BYTES])
{
	bool is_early = now_s < context->not_before_s;
	if (!is_early && now_s <= context->not_after_s)
		return false;
	time_t limit = (time_t)(is_early ? context->not_before_s : context->not_after_s);
	struct tm utc;
	char date[32];
	gmtime_r(&limit, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
	snprintf(text, TLS_ERROR_BYTES,
		 is_early ? "the certificate is not valid before %s: clients will refuse it"
			  : "the certificate has expired on %s: clients will refuse it",
		 date);
	return true;
}

int tls_context_reload(struct tls_context *context, const struct tls_settings *settings, char error[TLS_ERROR_BYTES])
{
	SSL_CTX *fresh = make(settings, error);
	if (!fresh)
		return -1;
	SSL_CTX_free(context->ssl); /* its connections have their own reference */
	context->ssl = fresh;
	const X509 *certificate = SSL_CTX_get0_certificate(fresh);
	context->not_before_s = seconds_of(X509_get0_notBefore(certificate));
	context->not_after_s = seconds_of(X509_get0_notAfter(certificate));
	return 0;
}

const char *tls_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}
