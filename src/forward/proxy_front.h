#pragma once
/*
 * The client's side of -D (and of -R without a target): SOCKS4, 4a and 5 and an HTTP proxy on one
 * listener, told apart by the first byte. Answers only when the target has been reached, or not.
 */
struct connection;
struct proxy_front;
struct stream;

/* Reads the request from `client` (taken over), reaches the target, hands over to the relay. */
struct proxy_front *proxy_front_new(struct connection *c, struct stream *client);
/* Returns NULL; accepts NULL. */
struct proxy_front *proxy_front_free(struct proxy_front *p);
