/* The Content-Security-Policy of an embedded page. Any thread. */
#ifndef API_PAGE_POLICY_H
#define API_PAGE_POLICY_H

#include "base/buf.h"

/*
 * Appends the policy (Content Security Policy Level 3) that lets a page load its own origin's
 * scripts, styles and images, run the inline <script> and <style> elements that it has now (by
 * their SHA-256), connect to its own origin, and nothing else. Other places to connect to may be
 * given ("ws: wss:"), NULL for none.
 */
void page_policy_append(struct slice html, const char *connect, struct buf *out);

#endif
