# The C examples in the documents, compiled and run as tests, so that they stay true. An example is
# a block ```c after a line <!-- example: NAME -->; tests/docs/NAME runs it.
function(fanfare_doc_example name document)
    set(source ${CMAKE_BINARY_DIR}/docs/${name}.c)
    add_custom_command(OUTPUT ${source}
        COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DDOCUMENT=${CMAKE_SOURCE_DIR}/docs/${document}
            -DOUTPUT=${source} -P ${CMAKE_SOURCE_DIR}/cmake/DocExtract.cmake
        DEPENDS ${CMAKE_SOURCE_DIR}/docs/${document} ${CMAKE_SOURCE_DIR}/cmake/DocExtract.cmake)
    add_executable(docs_${name} ${source})
    target_link_libraries(docs_${name} PRIVATE ${ARGN})
    add_test(NAME docs/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/docs/${name}
        $<TARGET_FILE:docs_${name}> ${CMAKE_SOURCE_DIR}/docs/${document})
    set_tests_properties(docs/${name} PROPERTIES TIMEOUT 60)
endfunction()

fanfare_doc_example(watching watching.md fanfare_source)
fanfare_doc_example(checkpoint watching.md fanfare_source)
fanfare_doc_example(embedding c-library.md fanfare_shared)
fanfare_doc_example(endpoint c-library.md fanfare_shared)
fanfare_doc_example(remote c-library.md fanfare_shared)
set_tests_properties(docs/remote PROPERTIES DEPENDS docs/embedding)
fanfare_doc_example(publishers publishers.md fanfare_shared)
set_tests_properties(docs/publishers PROPERTIES DEPENDS docs/embedding)
fanfare_doc_example(platform platform.md fanfare_shared)
set_tests_properties(docs/platform PROPERTIES DEPENDS docs/embedding)
