/* A certificate made up for a test. */
#ifndef MILLRACE_TESTS_CERTIFICATES_H
#define MILLRACE_TESTS_CERTIFICATES_H

/* Writes NAME.pem, a certificate that signs itself, and NAME.key into the directory. `host`: the name that it is for.
 */
void certificate_write(const char *directory, const char *name, const char *host);

#endif
