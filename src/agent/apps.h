#pragma once
/*
 * TCP channels that the server itself asks for on behalf of people in front of browsers: to ports
 * that they share and apps of the template. Who may is the server's to decide; with the field
 * `adit-tls: 1` the agent speaks TLS to the target, without a look at its certificate.
 */

struct apps;
struct channel_request;
struct loop;

struct apps *apps_new(struct loop *loop);
/* Takes over a TCP request of the server's session. */
void apps_handle(struct apps *a, struct channel_request *rq);
/* Ends all channels. Returns NULL; accepts NULL. */
struct apps *apps_free(struct apps *a);
