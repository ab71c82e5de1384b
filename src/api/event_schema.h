/* JSON Schemas of catalogue fields, for the generated documents of this layer. */
#ifndef API_EVENT_SCHEMA_H
#define API_EVENT_SCHEMA_H

#include "codec/json_writer.h"
#include "hub/catalogue.h"

/* Writes the member `name`: an object schema of these fields. description and example (JSON) may
 * be NULL. */
void event_schema_put(struct buf *out, const char *name, const struct event_field *fields,
                      unsigned count, const char *description, const char *example);

/* Writes the members of schemas.json, and one schema event_<type> for each event type and
 * channel_<name> for each channel with a row of its own, into the object that is open. */
void schemas_put_members(struct buf *out);

#endif
