/* What a GitHub webhook tells, as an event of the agent platform. No I/O, any thread. */
#ifndef API_GITHUB_EVENT_H
#define API_GITHUB_EVENT_H

#include "base/buf.h"
#include "codec/json.h"

/* A kind of webhook that is published. */
struct github_event;

/* By X-GitHub-Event; NULL: it is not published. */
const struct github_event *github_event_find(struct slice name);

/* The event's type, by the payload's action: "pr.created". NULL: the payload is none of this kind.
 */
const char *github_event_type(const struct github_event *kind, struct json_value payload);

/* Appends the event's data for a project. */
void github_event_append(const struct github_event *kind, struct json_value payload,
                         const char *project_id, struct buf *data);

/* Appends the repository in its one form (repository_url.h); FAN_E_INVALID when the payload names
 * none. */
int github_event_repository(struct json_value payload, struct buf *out);

#endif
