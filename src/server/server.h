/* The server program, wired together. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

struct config;

/* Runs a server until SIGTERM or SIGINT. Returns the program's exit code: 0 after a clean
 * shutdown, 1 when it could not start, with the reason on stderr. The configuration stays the
 * caller's. */
int server_main(const struct config *config);

#endif
