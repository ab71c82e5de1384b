/* The server as a program of its own. */
#ifndef SERVER_PROGRAM_H
#define SERVER_PROGRAM_H

#include <stdbool.h>

struct config;

/* Runs a server until SIGTERM or SIGINT; SIGHUP reloads. On stdout it says where it listens: the
 * URLs, a line each, or, if json, objects for programs: what has happened, from `listening` to
 * `stopped`, or `failed`. Returns the program's exit code: 0 after
 * a clean shutdown, 1 when it could not start, with the reason on stderr. The configuration stays
 * the caller's. */
int server_main(const struct config *config, bool json);

#endif
