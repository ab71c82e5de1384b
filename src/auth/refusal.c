/* Refusals; see refusal.h. */
#include "auth/refusal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *code, *reason;
} words[] = {
    [TOKEN_GOOD] = {"token_good", "token good"},
    [TOKEN_MISSING] = {"token_missing", "token missing"},
    [TOKEN_MALFORMED] = {"token_malformed", "token malformed"},
    [TOKEN_BAD_SIGNATURE] = {"token_bad_signature", "bad signature"},
    [TOKEN_EXPIRED] = {"token_expired", "token expired"},
    [TOKEN_NOT_YET_VALID] = {"token_not_yet_valid", "token not yet valid"},
    [TOKEN_WRONG_TYPE] = {"token_wrong_type", "wrong token type"},
};

const char *token_problem_reason(enum token_problem problem)
{
    return words[problem].reason;
}

const char *token_problem_code(enum token_problem problem)
{
    return words[problem].code;
}

enum token_problem token_refuse(struct token_refusal *refusal, enum token_problem problem,
                                const char *format, ...)
{
    va_list args;
    refusal->problem = problem;
    va_start(args, format);
    vsnprintf(refusal->detail, sizeof refusal->detail, format, args);
    va_end(args);
    return problem;
}
