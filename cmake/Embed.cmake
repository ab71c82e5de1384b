# fanfare_embed(TARGET SYMBOL PATH=FILE...): compiles files into TARGET as the table
# `const struct embedded_file SYMBOL[]` (src/base/embedded.h), each under its URL path.
function(fanfare_embed target symbol)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.c)
    set(files)
    foreach(entry ${ARGN})
        string(REGEX REPLACE "^[^=]*=" "" file ${entry})
        list(APPEND files ${file})
    endforeach()
    string(REPLACE ";" "|" entries "${ARGN}")
    add_custom_command(OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DSYMBOL=${symbol} "-DENTRIES=${entries}"
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
        DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/EmbedFiles.cmake
        COMMENT "Embedding ${symbol}" VERBATIM)
    target_sources(${target} PRIVATE ${output})
endfunction()
