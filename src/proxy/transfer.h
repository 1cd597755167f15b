#pragma once
/* What the files that carry an app's request share. Within proxy/ only. */
#include "proto/dial_result.h"

struct app_request;

/* Lets go of all that is at the app's side. */
void transfer_let_go(struct app_request *q);
/* Answers with a page that says that the app could not be reached, after transfer_let_go(). */
void transfer_page(struct app_request *q, const char *title, const char *reason);
/* The same for a connection that was not made. */
void transfer_not_reached(struct app_request *q, enum dial_result result);
/*
 * What answered is not HTTP: looks whether it is TLS, or plain where TLS was expected, and says so.
 */
void transfer_not_http(struct app_request *q);

/* 101: the app's end and the person's become one stream. */
void upgrade_start(struct app_request *q);
/* Ends it at once, in UPGRADE and RELAY. */
void upgrade_end(struct app_request *q);
