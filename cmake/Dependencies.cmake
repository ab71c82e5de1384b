# What the build needs from the system. scripts/install-packages installs it on Debian.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(RHONABWY REQUIRED IMPORTED_TARGET librhonabwy)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)

if(FANFARE_URING)
    pkg_check_modules(URING IMPORTED_TARGET liburing)
endif()
if(URING_FOUND)
    set(FANFARE_HAVE_URING ON)
    set(FANFARE_URING_TARGET PkgConfig::URING)
    add_compile_definitions(FANFARE_HAVE_URING=1)
endif()

# llhttp is a library package from Debian 13 on. On Debian 12 its generated C sources come with
# the package node-llhttp; they are compiled from where that package puts them.
pkg_check_modules(LLHTTP IMPORTED_TARGET libllhttp)
if(LLHTTP_FOUND)
    add_library(llhttp ALIAS PkgConfig::LLHTTP)
else()
    find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp REQUIRED)
    find_path(LLHTTP_INCLUDES llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
    add_library(llhttp STATIC ${LLHTTP_SOURCES}/llhttp.c ${LLHTTP_SOURCES}/api.c
        ${LLHTTP_SOURCES}/http.c)
    target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDES})
    # Version 8 is lenient about line ends and header names unless told otherwise; 9 is strict.
    target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_compile_options(llhttp PRIVATE -w)
endif()
