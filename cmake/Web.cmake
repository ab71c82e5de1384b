# The page and the client library of web/, built by npm and Vite into ${web_output}; `web_pages`
# lists them as entries for fanfare_embed (Embed.cmake).
find_program(NPM npm REQUIRED)
set(web ${CMAKE_SOURCE_DIR}/web)
set(web_output ${CMAKE_BINARY_DIR}/web)
set(web_modules ${web}/node_modules/.installed)

# What the lock file names, again only when it changed.
add_custom_command(OUTPUT ${web_modules}
    COMMAND ${NPM} ci --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${web_modules}
    DEPENDS ${web}/package-lock.json
    WORKING_DIRECTORY ${web}
    COMMENT "Installing the page's npm packages into web/node_modules" VERBATIM)
add_custom_target(web_modules DEPENDS ${web_modules})

set(web_pages
    /index.html=${web_output}/index.html
    /icon.svg=${web_output}/icon.svg
    /assets/page.js=${web_output}/assets/page.js
    /assets/session.js=${web_output}/assets/session.js
    /assets/rooms.js=${web_output}/assets/rooms.js
    /assets/common.js=${web_output}/assets/common.js
    /assets/page.css=${web_output}/assets/page.css
    /assets/emulator.js=${web_output}/assets/emulator.js
    /fanfare.js=${web_output}/fanfare.js)
set(web_files)
foreach(entry ${web_pages})
    string(REGEX REPLACE "^[^=]*=" "" file ${entry})
    list(APPEND web_files ${file})
endforeach()

file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web}/src/* ${web}/client/src/* ${web}/public/*)
add_custom_command(OUTPUT ${web_files}
    COMMAND ${CMAKE_COMMAND} -E env FANFARE_WEB_OUT=${web_output}
        ${NPM} run --silent build -- --logLevel warn
    DEPENDS ${web_sources} ${web_modules} ${web}/index.html ${web}/package.json
        ${web}/vite.config.ts ${web}/vite.client.config.ts
    WORKING_DIRECTORY ${web}
    COMMENT "Building the page" VERBATIM)
