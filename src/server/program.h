/* The server as a program of its own. */
#ifndef SERVER_PROGRAM_H
#define SERVER_PROGRAM_H

struct config;

/* Runs a server until SIGTERM or SIGINT; SIGHUP reloads. Returns the program's exit code: 0 after
 * a clean shutdown, 1 when it could not start, with the reason on stderr. The configuration stays
 * the caller's. */
int server_main(const struct config *config);

#endif
