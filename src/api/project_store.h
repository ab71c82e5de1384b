/*
 * Projects in the platform's database. Platform's thread; functions return 0 or a negative
 * fan_error, as platform_db.h.
 */
#ifndef API_PROJECT_STORE_H
#define API_PROJECT_STORE_H

#include "api/platform_request.h"

#define PROJECTS_MAX 100000

struct project {
    int64_t number; /* in the order of their making, from 1 */
    char id[UUID_SIZE];
    struct buf name, status, updated_by;
    struct buf repository_url; /* empty: none */
    int64_t created_ms, updated_ms;
    int64_t version; /* of this project, counts its changes */
};

void project_fini(struct project *p);

/* FAN_E_NOT_FOUND. *p is empty before, and to be freed after, whatever is returned. */
int project_find(struct platform_db *db, const char *id, struct project *p);

/* Sets number and version. FAN_E_EXISTS: the id is taken; FAN_E_LIMIT: there are PROJECTS_MAX. */
int project_insert(struct platform_db *db, struct project *p);

/* Everything but id, number and created_ms; the version goes up. */
int project_update(struct platform_db *db, struct project *p);

int project_delete(struct platform_db *db, const char *id);

/* Calls each for the projects behind the number, in their order, until it returns false. */
int project_each(struct platform_db *db, int64_t after,
                 bool (*each)(void *arg, const struct project *p), void *arg);

/* The ids of the projects of a repository (in its one form, repository_url.h), oldest first, each
 * with a NUL; at most `most`. */
int project_find_repository(struct platform_db *db, struct slice repository, unsigned most,
                            struct buf *ids, unsigned *count);

#endif
