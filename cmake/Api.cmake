# What the api layer embeds, and what is generated from the event catalogue (`make docs`).
include(cmake/Embed.cmake)
include(cmake/Web.cmake)
file(GLOB examples CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.html)
set(example_entries)
foreach(example ${examples})
    get_filename_component(name ${example} NAME)
    list(APPEND example_entries /examples/${name}=${example})
endforeach()
fanfare_embed(fanfare_api embedded_pages
    ${web_pages}
    /docs=${CMAKE_SOURCE_DIR}/src/api/docs.html
    /docs/docs.css=${CMAKE_SOURCE_DIR}/src/api/docs.css
    /docs/docs.js=${CMAKE_SOURCE_DIR}/src/api/docs.js
    ${example_entries})
fanfare_embed(fanfare_api embedded_schemas
    /schemas.json=${CMAKE_SOURCE_DIR}/src/api/schemas.json)

add_executable(generate_events tools/generate_events.c)
target_link_libraries(generate_events PRIVATE fanfare_api)
add_custom_target(docs
    COMMAND generate_events doc ${CMAKE_SOURCE_DIR}/docs/events.md
    COMMAND generate_events types ${CMAKE_SOURCE_DIR}/web/client/src/events.ts
    VERBATIM)
