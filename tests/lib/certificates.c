#define _GNU_SOURCE
#include "tests/lib/certificates.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DAY_S = 24 * 3600 };

static void add_extension(X509 *certificate, int kind, const char *text)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, text);
	ck_assert_ptr_nonnull(extension);
	ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static FILE *open_file(const char *directory, const char *name, const char *ending)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/%s.%s", directory, name, ending), 0);
	FILE *file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s: %m", path);
	fchmod(fileno(file), 0600);
	free(path);
	return file;
}

void certificate_write(const char *directory, const char *name, const char *host)
{
	char names[128];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	ck_assert(key && certificate);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
	X509_set_pubkey(certificate, key);
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)host, -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	snprintf(names, sizeof(names), "DNS:%s", host);
	add_extension(certificate, NID_subject_alt_name, names);
	add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);

	FILE *file = open_file(directory, name, "pem");
	ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
	fclose(file);
	file = open_file(directory, name, "key");
	ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}
