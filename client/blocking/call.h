/* What the functions of the blocking API are made of: one request handed in, its reply waited for. */
#ifndef MILLRACE_CLIENT_BLOCKING_CALL_H
#define MILLRACE_CLIENT_BLOCKING_CALL_H

#include "client/blocking/driver.h"
#include "client/blocking/outcome.h"

/* `status` is what became of the operation: unless MR_OK nothing is sent, and it is the result. */

/* Runs a request to its end, and returns its status, with its message if it is an error. What was wanted is in the
 * request, to be moved out; request_finish() frees the rest, whatever comes. */
int call(mr *m, int status, struct client_operation *operation, enum want want, struct mr_request *request);

/* The same for a reply that has to bring what is wanted: MR_EPROTOCOL if it does not. */
int call_fetch(mr *m, int status, struct client_operation *operation, enum want want, struct mr_request *request);

/* The same where the status is all. */
int call_plain(mr *m, int status, struct client_operation *operation);

/* The same where the whole reply is wanted, as a tree: *reply is a new reference with MR_OK, else NULL. */
int call_tree(mr *m, int status, struct client_operation *operation, json_t **reply);

/* Hands in a request on the heap, which is the handle's until mr_wait(), and waits until it is sent. *request is NULL
 * on errors. */
int call_begin(mr *m, int status, struct client_operation *operation, enum want want, mr_request **request);

/* Asks for the cancelling of the request with this id, of whom it was asked. */
int call_cancel(mr *m, struct contact *contact, uint64_t id);

/* The same where a value, or an array of them, is wanted: as text, terminated by NUL, or as jansson's. What the caller
 * does not want may be NULL. With MR_EJSON mr_unheld() has what jansson cannot hold; of an array *values is set all the
 * same, with null for each of these. */
int call_text(mr *m, int status, struct client_operation *operation, char **json, size_t *len);
int call_value(mr *m, int status, struct client_operation *operation, json_t **value);
int call_array(mr *m, int status, struct client_operation *operation, json_t **values);

/* Gives the tree to whoever wants it: out may be NULL. Returns `status`. */
int call_give_tree(int status, json_t *tree, json_t **out);

/* Moves what has come out of a request that is done. */
void call_take_result(struct mr_request *request, struct mr_result *result);

/* The text as a jansson value. MR_OK; MR_EJSON or MR_EMEMORY with its message, and *value is NULL. */
int call_read_json(const char *text, size_t len, json_t **value);

/* The same for a caller who has nothing else of it: with MR_EJSON, mr_unheld() has its text. */
int call_give_json(const char *text, size_t len, json_t **value);

/* The same of an array of values: with MR_EJSON, *values is set, with null for each that jansson cannot hold, and
 * mr_unheld() has an array of these. */
int call_give_array(const char *text, size_t len, json_t **values);

#endif
