/* The API's embedded files. */
#ifndef API_EMBEDDED_H
#define API_EMBEDDED_H

#include "base/embedded.h"

/* What is served: /docs with its style and script, and the examples. */
extern const struct embedded_file embedded_pages[];

/* JSON Schemas that the documents refer to: /schemas.json, an object of them by name. */
extern const struct embedded_file embedded_schemas[];

#endif
