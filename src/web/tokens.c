/* Tokens of the caller. Their text is shown once, when they are made. */
#include <string.h>

#include "api/user.h"
#include "auth/token.h"
#include "store/token.h"
#include "web/handlers.h"
#include "web/instance.h"

static struct right_object own(const struct call *c)
{
    return (struct right_object){.owner_id = c->who.user_id, .owner = c->who.user};
}

/* ---- list ---- */

static void on_list(void *ud, int r, const struct token *tokens, size_t n)
{
    struct call *c = ud;
    const struct store_page *page = c->state;
    struct api_tokens msg = {.tokens = (struct token *)(uintptr_t)tokens, .n_tokens = n};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (n == page->limit)
        msg.next = tokens[n - 1].id;
    call_answer(c, 200, &api_tokens_type, &msg);
}

void tokens_list(struct call *c)
{
    struct right_object what = own(c);
    struct store_page page;

    if (!call_may(c, RIGHT_TOKEN_LIST, &what) || !call_page(c, &page))
        return;
    *(struct store_page *)call_state(c, sizeof(page)) = page;
    store_token_list(call_store(c), call_loop(c), c->who.user_id, page, on_list, c);
}

/* ---- create ---- */

static void on_created(void *ud, int r, const struct token *token)
{
    struct call *c = ud;
    struct api_token_created msg = {0};

    if (r == STORE_OK) {
        msg.info = *token;
        str_copy(msg.token, sizeof(msg.token), c->state);
    }
    call_wipe_state(c, TOKEN_TEXT_SIZE);
    if (r == STORE_EXISTS) {
        call_fail_field(c, 409, "name", "You have a token of this name already.");
    } else if (r != STORE_OK) {
        call_store_failed(c, r);
    } else {
        call_record(c, AUDIT_TOKEN_CREATE, token->name);
        call_answer(c, 201, &api_token_created_type, &msg);
    }
    explicit_bzero(&msg, sizeof(msg));
}

void tokens_create(struct call *c)
{
    const struct api_token_create *msg = c->msg;
    struct right_object what = own(c);
    struct store_token_new token = {.user_id = c->who.user_id,
                                    .kind = TOKEN_API,
                                    .name = msg->name,
                                    .scope = msg->scope,
                                    .now = clock_realtime()};
    char *text;

    if (!call_may(c, RIGHT_TOKEN_CREATE, &what))
        return;
    if (msg->expires_in > 0)
        token.expires_at = token.now + (usec_t)msg->expires_in * USEC_PER_SEC;
    /* Otherwise a token that ends could be prolonged for ever. A session is a person: it may. */
    if (c->who.kind == TOKEN_API && c->who.expires_at > 0 &&
        (token.expires_at == 0 || token.expires_at > c->who.expires_at)) {
        call_fail_field(c, 403, "expires_in", "A token cannot make one that lasts longer.");
        return;
    }
    if (token.scope.kind == SCOPE_WORKSPACE && token.scope.owner[0] == '\0')
        str_copy(token.scope.owner, sizeof(token.scope.owner), c->who.user);
    text = call_state(c, TOKEN_TEXT_SIZE);
    token_make(TOKEN_LETTER_API, text, token.hash);
    store_token_create(call_store(c), call_loop(c), &token, on_created, c);
}

/* ---- delete ---- */

static void on_revoked(void *ud, int r)
{
    struct call *c = ud;
    const struct token *token = c->state;
    struct web_withdrawal what = {.token_id = token->id};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
    call_record(c, AUDIT_TOKEN_DELETE, token->name);
    call_done(c);
}

static void on_found(void *ud, int r, const struct token *token)
{
    struct call *c = ud;
    struct right_object what = {0}; /* nobody's */

    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        call_store_failed(c, r);
        return;
    }
    if (r == STORE_OK)
        what.owner_id = token->user_id;
    if (!call_may(c, RIGHT_TOKEN_DELETE, &what))
        return;
    if (r == STORE_NOT_FOUND) {
        call_not_found(c);
        return;
    }
    *(struct token *)call_state(c, sizeof(*token)) = *token;
    store_token_revoke(call_store(c), call_loop(c), token->id, on_revoked, c);
}

void tokens_delete(struct call *c)
{
    struct id id;

    if (call_param_id(c, "id", &id))
        store_token_get(call_store(c), call_loop(c), id, on_found, c);
    else
        on_found(c, STORE_NOT_FOUND, NULL);
}
