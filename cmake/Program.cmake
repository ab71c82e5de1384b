# The commands are a library, so that unit tests reach their parts; main.c makes the program of them.
file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.c)
list(REMOVE_ITEM cli_sources ${CMAKE_SOURCE_DIR}/src/cli/main.c)
add_library(fanfare_cli STATIC ${cli_sources})
target_link_libraries(fanfare_cli PUBLIC fanfare_server fanfare_client)
target_compile_definitions(fanfare_cli PRIVATE FANFARE_VERSION="${PROJECT_VERSION}")

# The manual pages' date; SOURCE_DATE_EPOCH makes builds repeatable.
string(TIMESTAMP today "%Y-%m-%d" UTC)
set_source_files_properties(src/cli/manual.c PROPERTIES COMPILE_DEFINITIONS "FANFARE_DATE=\"${today}\"")

add_executable(fanfare ${CMAKE_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(fanfare PRIVATE fanfare_cli)
include(cmake/Install.cmake)
