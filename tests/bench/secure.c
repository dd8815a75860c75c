#include "tests/bench/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>

void secure_begin(struct connection *connection)
{
	static SSL_CTX *context;
	if (!context) {
		context = SSL_CTX_new(TLS_client_method());
		if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION))
			fail("no TLS 1.3");
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		SSL_CTX_set_read_ahead(context, 1);
		SSL_CTX_set_default_read_buffer_len(context, 64 * 1024);
	}
	SSL *ssl = SSL_new(context);
	if (!ssl || !SSL_set_fd(ssl, connection->fd) || SSL_connect(ssl) != 1)
		fail("the handshake failed");
	connection->secure = ssl;
	fcntl(connection->fd, F_SETFL, fcntl(connection->fd, F_GETFL) | O_NONBLOCK);
}

static ssize_t result(SSL *ssl, int n)
{
	if (n > 0)
		return n;
	int error = SSL_get_error(ssl, n);
	errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
	return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t secure_send(struct connection *connection, const char *bytes, size_t len)
{
	return result(connection->secure, SSL_write(connection->secure, bytes, (int)len));
}

/* All that is there: what is decrypted and left would not be told of by the socket. */
ssize_t secure_receive(struct connection *connection, char *bytes, size_t room)
{
	size_t len = 0;
	int n = 0;
	while (len < room && (n = SSL_read(connection->secure, bytes + len, (int)(room - len))) > 0)
		len += (size_t)n;
	return len ? (ssize_t)len : result(connection->secure, n);
}
