/* What clients of the dialect `channels` send; see client_fixture.h. */
#include "client_fixture.h"

#include "dialect/channels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_client f;
    fuzz_client_open(&f, &channels_dialect);
    fuzz_client_run(&f, slice_of((const char *)data, size));
    fuzz_client_close(&f);
    return 0;
}
