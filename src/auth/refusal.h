/* Why a token is not good: the same words for every transport. Constant; any thread. */
#ifndef AUTH_REFUSAL_H
#define AUTH_REFUSAL_H

/* What is wrong with a token, from what is looked at first to what is looked at last. */
enum token_problem {
    TOKEN_GOOD,
    TOKEN_MISSING,
    TOKEN_MALFORMED,
    TOKEN_BAD_SIGNATURE, /* or an algorithm or a key that does not count here */
    TOKEN_EXPIRED,
    TOKEN_NOT_YET_VALID,
    TOKEN_WRONG_TYPE,
};

struct token_refusal {
    enum token_problem problem;
    char detail[240]; /* a phrase for people: "the claim exp must be a number" */
};

/* "token expired": for clients that show or compare it. */
const char *token_problem_reason(enum token_problem problem);

/* "token_expired": the code in answers. */
const char *token_problem_code(enum token_problem problem);

/* Fills *refusal; returns the problem. */
enum token_problem token_refuse(struct token_refusal *refusal, enum token_problem problem,
                                const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
