# The build step of fanfare_embed (Embed.cmake): writes the C file.
function(media_type file result)
    get_filename_component(extension ${file} LAST_EXT)
    set(types
        .html "text/html; charset=utf-8" .css "text/css; charset=utf-8"
        .js "text/javascript; charset=utf-8" .mjs "text/javascript; charset=utf-8"
        .json "application/json" .svg "image/svg+xml" .png "image/png" .ico "image/x-icon"
        .woff2 "font/woff2" .webmanifest "application/manifest+json" .txt "text/plain; charset=utf-8")
    list(FIND types "${extension}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "${file}: no media type is known for '${extension}'")
    endif()
    math(EXPR at "${at} + 1")
    list(GET types ${at} type)
    set(${result} ${type} PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
string(REPLACE "|" ";" entries "${ENTRIES}")
foreach(entry ${entries})
    string(REGEX MATCH "^([^=]*)=(.*)$" matched "${entry}")
    set(path ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    media_type(${file} media)
    file(READ ${file} hex HEX)
    file(SHA256 ${file} digest)
    string(SUBSTRING ${digest} 0 20 etag)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const unsigned char file_${number}[] = {\n${bytes}0};\n")
    string(APPEND rows "    {\"${path}\", \"${media}\", \"\\\"${etag}\\\"\", "
        "{(const char *)file_${number}, sizeof file_${number} - 1}},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"base/embedded.h\"\n\n${arrays}\n"
    "extern const struct embedded_file ${SYMBOL}[];\n"
    "const struct embedded_file ${SYMBOL}[] = {\n${rows}    {0},\n};\n")
