#pragma once
/* Messages about set-up, log-in, users and tokens. */
#include "api/type.h"
#include "model/password.h"
#include "model/token.h"
#include "model/user.h"

enum { API_PASSWORD_SIZE = PASSWORD_MAX_LEN + 1, API_TOKEN_TEXT_SIZE = 64 };

/* GET /buildinfo */
struct api_buildinfo {
    char version[33];
    char protocol[33];  /* "adit/1" */
    char *access_url;   /* may be NULL */
    char *wildcard_url; /* may be NULL */
};
API_MESSAGE(buildinfo);

/* GET /setup */
struct api_setup_status {
    bool needed;
};
API_MESSAGE(setup_status);

/* POST /setup */
struct api_setup_request {
    char name[NAME_SIZE];
    char password[API_PASSWORD_SIZE];
    char display_name[DISPLAY_NAME_SIZE];
    char email[EMAIL_SIZE];
    char label[TOKEN_NAME_SIZE]; /* of the session */
};
API_MESSAGE(setup_request);

/* POST /login */
struct api_login_request {
    char user[NAME_SIZE];
    char password[API_PASSWORD_SIZE];
    char label[TOKEN_NAME_SIZE];
};
API_MESSAGE(login_request);

/* A user as others see it. */
struct api_user {
    struct user user;
};
API_MESSAGE(user);

/* The answer to /setup and /login. */
struct api_login_response {
    char token[API_TOKEN_TEXT_SIZE];
    usec_t expires_at;
    struct user user;
};
API_MESSAGE(login_response);

/* A token as its user sees it in lists. */
struct api_token {
    struct token token;
};
API_MESSAGE(token);

/* GET /me */
struct api_me {
    struct user user;
    struct token token;
};
API_MESSAGE(me);

/* PUT /me/password */
struct api_password_request {
    char old_password[API_PASSWORD_SIZE];
    char new_password[API_PASSWORD_SIZE];
};
API_MESSAGE(password_request);

/* GET /users */
struct api_users {
    struct user *users;
    size_t n_users;
    struct id next; /* zero: that was all */
};
API_MESSAGE(users);

/* POST /users */
struct api_user_create {
    char name[NAME_SIZE];
    char password[API_PASSWORD_SIZE];
    char display_name[DISPLAY_NAME_SIZE];
    char email[EMAIL_SIZE];
    enum role role;
};
API_MESSAGE(user_create);

/* PATCH /users/{name}: what is there changes. */
struct api_user_update {
    enum role role;
    bool suspended;
    char display_name[DISPLAY_NAME_SIZE];
    char email[EMAIL_SIZE];
    char password[API_PASSWORD_SIZE];
    bool has_role, has_suspended, has_display_name, has_email, has_password;
};
API_MESSAGE(user_update);

/* GET /tokens */
struct api_tokens {
    struct token *tokens;
    size_t n_tokens;
    struct id next;
};
API_MESSAGE(tokens);

/* POST /tokens */
struct api_token_create {
    char name[TOKEN_NAME_SIZE];
    struct token_scope scope; /* "all" when it is not given */
    uint64_t expires_in;      /* seconds; 0: never */
};
API_MESSAGE(token_create);

/* Its answer: the only time the text is shown. */
struct api_token_created {
    char token[API_TOKEN_TEXT_SIZE];
    struct token info;
};
API_MESSAGE(token_created);
