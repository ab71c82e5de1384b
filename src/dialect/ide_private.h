/* What the files of the dialect `ide` share; nobody else includes this. */
#ifndef DIALECT_IDE_PRIVATE_H
#define DIALECT_IDE_PRIVATE_H

#include "dialect/session.h"

/* The message's data; an empty object without one. */
struct json_value ide_fields(struct json_value message);

/* Answers that `name` must be what is expected. Returns false. */
bool ide_refuse_field(struct client *c, struct json_value message, const char *name,
                      const char *expected, struct json_value value);

/* Handlers (ide_messages.c). */
void ide_on_session_update(struct client *c, struct json_value message);
void ide_on_hook_event(struct client *c, struct json_value message);
void ide_on_save_file(struct client *c, struct json_value message);
void ide_on_execute_code(struct client *c, struct json_value message);
void ide_on_execution(struct client *c, struct json_value message); /* input, cancel */
void ide_on_ghost_chat(struct client *c, struct json_value message);
void ide_on_cancel_ai(struct client *c, struct json_value message);

#endif
