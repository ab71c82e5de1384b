/*
 * Errors: every Fanfare function that can fail returns 0 or a negative fan_error.
 *
 * The list below is the only place where an error is declared; the enum, the short names and
 * the sentences for people all come from it.
 */
#ifndef FANFARE_ERROR_H
#define FANFARE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define FAN_ERRORS(X)                                               \
    X(NO_MEMORY, -1, "out of memory")                               \
    X(INVALID, -2, "invalid argument or value")                     \
    X(NOT_FOUND, -3, "not found")                                   \
    X(EXISTS, -4, "already exists")                                 \
    X(DENIED, -5, "permission denied")                              \
    X(TOO_LARGE, -6, "larger than the limit allows")                \
    X(LIMIT, -7, "a configured limit is reached")                   \
    X(CLOSED, -8, "the connection or object is closed")             \
    X(TIMEOUT, -9, "timed out")                                     \
    X(IO, -10, "input/output error")                                \
    X(PARSE, -11, "malformed input")                                \
    X(PROTOCOL, -12, "the peer broke the protocol")                 \
    X(UNSUPPORTED, -13, "not supported by this build or platform")  \
    X(UNAVAILABLE, -14, "temporarily unavailable; try again later") \
    X(ADDRESS, -15, "the address cannot be used")                   \
    X(TRUNCATED, -16, "the input ends too early")                   \
    X(AGAIN, -17, "not possible right now without waiting")         \
    X(BUSY, -18, "too much is waiting already; try again later")

enum fan_error {
    FAN_OK = 0,
#define FAN_ERROR_ENUM(name, number, text) FAN_E_##name = number,
    FAN_ERRORS(FAN_ERROR_ENUM)
#undef FAN_ERROR_ENUM
};

/* A sentence for people; never NULL, also for numbers that are no error. Any thread. */
const char *fan_error_text(int error);

/* The error's name, "NO_MEMORY" for instance; never NULL. Any thread. */
const char *fan_error_name(int error);

#ifdef __cplusplus
}
#endif
#endif
