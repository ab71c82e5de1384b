/* The texts of the error list; see fanfare/error.h. */
#include "fanfare/error.h"

const char *fan_error_text(int error)
{
    switch (error) {
    case FAN_OK:
        return "no error";
#define FAN_ERROR_CASE(name, number, text) \
    case FAN_E_##name:                     \
        return text;
        FAN_ERRORS(FAN_ERROR_CASE)
#undef FAN_ERROR_CASE
    default:
        return "unknown error";
    }
}

const char *fan_error_name(int error)
{
    switch (error) {
    case FAN_OK:
        return "OK";
#define FAN_ERROR_CASE(name, number, text) \
    case FAN_E_##name:                     \
        return #name;
        FAN_ERRORS(FAN_ERROR_CASE)
#undef FAN_ERROR_CASE
    default:
        return "UNKNOWN";
    }
}
