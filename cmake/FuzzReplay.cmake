# Each fuzz target once more, as a test that replays its committed corpus (tests/fuzz/replay.c).
file(GLOB fuzz_targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*/fuzz_*.c)
foreach(source ${fuzz_targets})
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" name ${name})
    get_filename_component(folder ${source} DIRECTORY)
    get_filename_component(layer ${folder} NAME)
    add_executable(replay_${name} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    target_compile_options(replay_${name} PRIVATE -Wno-missing-prototypes)
    target_link_libraries(replay_${name} PRIVATE fanfare_${layer})
    add_test(NAME fuzz/${name}
        COMMAND replay_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 120)
endforeach()
