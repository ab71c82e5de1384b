/*
 * What tokens are signed and judged with at the command line: the keys and rules that `fanfare
 * serve` would have here, or a file of a key.
 */
#ifndef CLI_TOKEN_JUDGE_H
#define CLI_TOKEN_JUDGE_H

#include "cli/arguments.h"
#include "server/token_options.h"

struct token_judge {
    struct config *config;
    struct authenticator_options options;
    struct buf path, secret; /* which the options borrow */
};

/* Reads --config, --data and --key-file. 0, or FAILED after a message; token_judge_fini in any
 * case. */
int token_judge_init(struct token_judge *judge, const struct arguments *a);
void token_judge_fini(struct token_judge *judge);

/* The key to sign with: of --key-file, of JWT_SECRET_KEY, or the development key, which is made
 * when there is none. NULL after a message. *development says that it is that. */
struct key *token_judge_signing_key(struct token_judge *judge, const struct arguments *a,
                                    bool *development);

#endif
