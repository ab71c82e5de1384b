/* The development key; see development_key.h. */
#include "auth/development_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/keyring.h"
#include "base/memory.h"
#include "base/random.h"
#include "fanfare/error.h"

#define SECRET_SIZE 43 /* of 62 characters: 256 bits */

void development_key_path(struct buf *out, const char *directory)
{
    buf_printf(out, "%s/dev.key", directory);
}

int development_key_read(const char *path, struct buf *secret, struct buf *why)
{
    struct stat s;
    int error = key_file_read(path, secret, why);
    if (error)
        return error;
    if (stat(path, &s) == 0 && s.st_mode & (S_IRWXG | S_IRWXO)) {
        buf_printf(why, "%s may be read by others: chmod 600 it, or remove it to get a new one",
                   path);
        return FAN_E_DENIED;
    }
    while (secret->len && strchr(" \t\r\n", secret->data[secret->len - 1]))
        secret->len--;
    if (secret->len)
        return 0;
    buf_printf(why, "%s is empty: remove it to get a new one", path);
    return FAN_E_INVALID;
}

/* Makes the directory and those above it. */
static int make_directory(const char *path, struct buf *why)
{
    char *copy = memory_copy_string(slice_from(path));
    int failed = 0;
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0777);
        *slash = '/';
    }
    if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
        buf_printf(why, "cannot make the directory %s: %s", path, strerror(errno));
        failed = FAN_E_IO;
    }
    memory_free(copy);
    return failed;
}

/* Written beside its place and linked there: whoever comes at the same time finds a whole file, and
 * the first one stays. */
static int make(const char *path, struct buf *why)
{
    struct buf draft = {0};
    char secret[SECRET_SIZE + 2];
    random_text(secret, SECRET_SIZE);
    memcpy(secret + SECRET_SIZE, "\n", 2);
    buf_printf(&draft, "%s.%ld", path, (long)getpid());
    int fd = open(buf_text(&draft), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, secret, SECRET_SIZE + 1) == SECRET_SIZE + 1 && fsync(fd) == 0 &&
              (link(buf_text(&draft), path) == 0 || errno == EEXIST);
    if (!ok)
        buf_printf(why, "cannot make %s: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(buf_text(&draft));
    }
    buf_fini(&draft);
    return ok ? 0 : FAN_E_IO;
}

int development_key_need(const char *directory, struct buf *secret, struct buf *why)
{
    struct buf path = {0}, reason = {0};
    development_key_path(&path, directory);
    int error = development_key_read(buf_text(&path), secret, &reason);
    if (error == FAN_E_NOT_FOUND) {
        buf_clear(&reason);
        error = make_directory(directory, &reason);
        if (!error)
            error = make(buf_text(&path), &reason);
        if (!error)
            error = development_key_read(buf_text(&path), secret, &reason);
    }
    buf_append_slice(why, buf_slice(&reason));
    buf_fini(&reason);
    buf_fini(&path);
    return error;
}
