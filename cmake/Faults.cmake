# The failing disk of tests/integration/faults.test.mjs: preloaded into the server, never installed.
add_library(fanfare_faults MODULE ${CMAKE_SOURCE_DIR}/tests/faults/faults.c)
set_target_properties(fanfare_faults PROPERTIES PREFIX "" INTERPROCEDURAL_OPTIMIZATION OFF)
target_link_libraries(fanfare_faults PRIVATE ${CMAKE_DL_LIBS})
