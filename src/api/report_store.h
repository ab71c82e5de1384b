/*
 * What agents, workflows and models last reported, in the platform's database: for each id of a
 * kind the newest data. Of each kind the newest REPORTS_MAX stay. Platform's thread; functions
 * return 0 or a negative fan_error, as platform_db.h.
 */
#ifndef API_REPORT_STORE_H
#define API_REPORT_STORE_H

#include "api/platform_db.h"

#define REPORTS_MAX 10000

/* Appends the data; FAN_E_NOT_FOUND. */
int report_find(struct platform_db *db, const char *kind, const char *id, struct buf *data,
                int64_t *updated_ms);

/* Replaces what was there. */
int report_put(struct platform_db *db, const char *kind, const char *id, struct slice data,
               int64_t now_ms);

/* Calls each, newest first, for those before the number (0: from the newest), until it returns
 * false. */
int report_each(struct platform_db *db, const char *kind, int64_t before,
                bool (*each)(void *arg, int64_t number, struct slice data, int64_t updated_ms),
                void *arg);

/* Notes a webhook's delivery. FAN_E_EXISTS: it has come before. The newest DELIVERIES_MAX are
 * remembered. */
#define DELIVERIES_MAX 10000
int delivery_note(struct platform_db *db, struct slice id, int64_t now_ms);

#endif
