# The installed library, used from outside the tree.
set(flags)
if(FANFARE_SANITIZE)
    set(flags -fsanitize=${FANFARE_SANITIZE})
endif()
add_test(NAME install/library COMMAND ${CMAKE_SOURCE_DIR}/tests/install/library
    ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER} ${flags})
set_tests_properties(install/library PROPERTIES TIMEOUT 300)
