# libfanfare, shared and static. Both are made of the layers' archives and show only the public
# functions, fan_*: what is inside must not meet names of the program that links it.
#
# The static one is one object, linked in advance from all archives, in which all other names have
# become local.
set(FANFARE_LIBRARY_LAYERS
    fanfare_server fanfare_api fanfare_dialect fanfare_source fanfare_engine fanfare_auth
    fanfare_config fanfare_client fanfare_hub fanfare_net fanfare_codec fanfare_base)
set(FANFARE_LIBRARY_ARCHIVES ${FANFARE_LIBRARY_LAYERS})
set(outer_libraries PkgConfig::UV PkgConfig::YAML PkgConfig::ZLIB PkgConfig::RHONABWY
    PkgConfig::SQLITE OpenSSL::SSL OpenSSL::Crypto ${FANFARE_URING_TARGET} Threads::Threads m)
if(LLHTTP_FOUND)
    list(APPEND outer_libraries PkgConfig::LLHTTP)
else()
    list(APPEND FANFARE_LIBRARY_ARCHIVES llhttp)
endif()
set(archive_files)
foreach(archive ${FANFARE_LIBRARY_ARCHIVES})
    list(APPEND archive_files $<TARGET_FILE:${archive}>)
endforeach()

set(version_script ${CMAKE_CURRENT_BINARY_DIR}/libfanfare.map)
file(CONFIGURE OUTPUT ${version_script} CONTENT "{ global: fan_*; local: *; };\n")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/libfanfare.c
    CONTENT "/* The library's content comes from the archives of the layers. */\n")

add_library(fanfare_shared SHARED ${CMAKE_CURRENT_BINARY_DIR}/libfanfare.c)
target_link_libraries(fanfare_shared PRIVATE
    -Wl,--whole-archive ${archive_files} -Wl,--no-whole-archive ${outer_libraries})
add_dependencies(fanfare_shared ${FANFARE_LIBRARY_ARCHIVES})
target_include_directories(fanfare_shared INTERFACE ${CMAKE_SOURCE_DIR}/include)
target_link_options(fanfare_shared PRIVATE -Wl,--version-script=${version_script})
set_target_properties(fanfare_shared PROPERTIES
    OUTPUT_NAME fanfare
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS "${version_script};${archive_files}")

find_program(FANFARE_OBJCOPY NAMES objcopy llvm-objcopy REQUIRED)
set(static_object ${CMAKE_CURRENT_BINARY_DIR}/libfanfare.o)
set(static_library ${CMAKE_CURRENT_BINARY_DIR}/libfanfare.a)
# With link-time optimisation the archives hold no machine code yet; this link makes it.
set(relocatable -r -nostdlib)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND relocatable -flinker-output=nolto-rel)
endif()
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
separate_arguments(optimisation NATIVE_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}}")
add_custom_command(OUTPUT ${static_library}
    COMMAND ${CMAKE_C_COMPILER} ${optimisation} ${relocatable} -o ${static_object}
        -Wl,--whole-archive ${archive_files} -Wl,--no-whole-archive
    COMMAND ${FANFARE_OBJCOPY} --wildcard --keep-global-symbol=fan_* ${static_object}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
    COMMAND ${CMAKE_AR} qcs ${static_library} ${static_object}
    DEPENDS ${FANFARE_LIBRARY_ARCHIVES}
    COMMENT "Linking C static library libfanfare.a" VERBATIM COMMAND_EXPAND_LISTS)
add_custom_target(fanfare_static ALL DEPENDS ${static_library})

# What a program that links the static library needs beside it.
set(FANFARE_PRIVATE_LIBS "${UV_LDFLAGS};${YAML_LDFLAGS};${ZLIB_LDFLAGS};${SQLITE_LDFLAGS};${RHONABWY_LDFLAGS}")
list(APPEND FANFARE_PRIVATE_LIBS -lssl -lcrypto)
if(URING_FOUND)
    list(APPEND FANFARE_PRIVATE_LIBS ${URING_LDFLAGS})
endif()
if(LLHTTP_FOUND)
    list(APPEND FANFARE_PRIVATE_LIBS ${LLHTTP_LDFLAGS})
endif()
list(APPEND FANFARE_PRIVATE_LIBS ${CMAKE_THREAD_LIBS_INIT} -lm)
list(REMOVE_DUPLICATES FANFARE_PRIVATE_LIBS)
list(JOIN FANFARE_PRIVATE_LIBS " " FANFARE_PRIVATE_LIBS)

include(GNUInstallDirs)
configure_file(cmake/fanfare.pc.in fanfare.pc @ONLY)
install(TARGETS fanfare_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/fanfare DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/fanfare.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
