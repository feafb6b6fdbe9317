# Where the libraries come from: the system's packages (tools/setup), each as
# one imported target.  README.md says what each is for and its licence.

find_package(PkgConfig REQUIRED)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv>=1.38)
pkg_check_modules(jsonc REQUIRED IMPORTED_TARGET json-c>=0.13)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1>=0.2.2)
pkg_check_modules(mnl REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(maxminddb REQUIRED IMPORTED_TARGET libmaxminddb)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(capng REQUIRED IMPORTED_TARGET libcap-ng)

# BearSSL has no pkg-config file.
find_path(BEARSSL_INCLUDE bearssl.h REQUIRED)
find_library(BEARSSL_LIBRARY bearssl REQUIRED)
add_library(bearssl INTERFACE)
target_include_directories(bearssl SYSTEM INTERFACE ${BEARSSL_INCLUDE})
target_link_libraries(bearssl INTERFACE ${BEARSSL_LIBRARY})

# OpenSSL is optional: sluice is complete with BearSSL.
set(SLUICE_OPENSSL AUTO CACHE STRING "TLS 1.3 and faster ciphers by OpenSSL 3: ON, OFF, or AUTO (where it is found)")
set_property(CACHE SLUICE_OPENSSL PROPERTY STRINGS AUTO ON OFF)
if(SLUICE_OPENSSL STREQUAL "ON")
	pkg_check_modules(openssl REQUIRED IMPORTED_TARGET openssl>=3.0)
elseif(SLUICE_OPENSSL STREQUAL "AUTO")
	pkg_check_modules(openssl IMPORTED_TARGET openssl>=3.0)
elseif(SLUICE_OPENSSL STREQUAL "OFF")
	set(openssl_FOUND FALSE)
else()
	message(FATAL_ERROR "SLUICE_OPENSSL is ON, OFF or AUTO, and not ${SLUICE_OPENSSL}")
endif()

if(SLUICE_TESTS)
	pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()
