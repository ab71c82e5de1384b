/* What clients of the dialect `ide` send; see client_fixture.h. */
#include "client_fixture.h"

#include "dialect/ide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_client f;
    fuzz_client_open(&f, &ide_dialect);
    fuzz_client_join(&f, "session:fuzz");
    fuzz_client_run(&f, slice_of((const char *)data, size));
    fuzz_client_close(&f);
    return 0;
}
