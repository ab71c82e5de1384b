# The commands are a library, so that unit tests reach their parts; main.c makes the program of them.
file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.c)
list(REMOVE_ITEM cli_sources ${CMAKE_SOURCE_DIR}/src/cli/main.c)
add_library(fanfare_cli STATIC ${cli_sources})
target_link_libraries(fanfare_cli PUBLIC fanfare_server fanfare_client)
target_compile_definitions(fanfare_cli PRIVATE FANFARE_VERSION="${PROJECT_VERSION}")

add_executable(fanfare ${CMAKE_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(fanfare PRIVATE fanfare_cli)
include(cmake/Install.cmake)
