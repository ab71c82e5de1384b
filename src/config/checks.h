/* What the texts of single options must look like; see struct option's `check`. No I/O. */
#ifndef CONFIG_CHECKS_H
#define CONFIG_CHECKS_H

#include "base/buf.h"
#include "base/slice.h"

int check_listen(struct slice text, struct buf *expected);
int check_public_url(struct slice text, struct buf *expected);
int check_base_path(struct slice text, struct buf *expected);
int check_watch(struct slice text, struct buf *expected);
int check_directory_name(struct slice text, struct buf *expected);
int check_identifier(struct slice text, struct buf *expected);
int check_namespace(struct slice text, struct buf *expected);
int check_origin(struct slice text, struct buf *expected);
int check_topic_pattern(struct slice text, struct buf *expected);
int check_algorithms(struct slice text, struct buf *expected);
int check_network(struct slice text, struct buf *expected);

#endif
