# lwIP (BSD-3-Clause), unmodified, compiled with core/stack/lwipopts.h.
#
# The source is -DLWIP_DIR=, else the newest of build/deps/lwip-* (which
# tools/lwip-source gets), else upstream's release, downloaded and compared
# with its hash.  2.1.3 and 2.2.1 are built and tested.

set(LWIP_DIR "" CACHE PATH "lwIP's source; empty: build/deps/lwip-*, else upstream's release")

set(_lwip ${LWIP_DIR})
if(NOT _lwip)
	file(GLOB _found LIST_DIRECTORIES true ${PROJECT_SOURCE_DIR}/build/deps/lwip-*)
	list(SORT _found COMPARE NATURAL ORDER DESCENDING)
	foreach(_dir IN LISTS _found)
		if(NOT _lwip AND EXISTS ${_dir}/src/include/lwip/init.h)
			set(_lwip ${_dir})
		endif()
	endforeach()
endif()
if(NOT _lwip)
	include(FetchContent)
	if(POLICY CMP0135)
		cmake_policy(SET CMP0135 NEW)
	endif()
	message(STATUS "lwIP: not in build/deps (tools/lwip-source gets it by apt); downloading upstream's 2.2.1")
	FetchContent_Declare(lwip
		URL https://download.savannah.nongnu.org/releases/lwip/lwip-2.2.1.zip
		URL_HASH SHA256=7b622662dba2383d71f874f2e494b54ae948531559c17acbe75797966d646878
		SOURCE_SUBDIR no-build-of-its-own)
	FetchContent_MakeAvailable(lwip)
	set(_lwip ${lwip_SOURCE_DIR})
endif()
if(NOT EXISTS ${_lwip}/src/include/lwip/init.h)
	message(FATAL_ERROR "no lwIP in ${_lwip}: give its source by -DLWIP_DIR=, or run tools/lwip-source")
endif()

file(STRINGS ${_lwip}/src/include/lwip/init.h _parts REGEX "define LWIP_VERSION_(MAJOR|MINOR|REVISION)")
string(REGEX MATCHALL "[0-9]+" _parts "${_parts}")
list(JOIN _parts . LWIP_VERSION)
message(STATUS "lwIP ${LWIP_VERSION} in ${_lwip}")

add_library(lwip_face INTERFACE)
target_include_directories(lwip_face SYSTEM INTERFACE ${_lwip}/src/include)
target_include_directories(lwip_face INTERFACE ${PROJECT_SOURCE_DIR}/core/stack)
if(LWIP_VERSION VERSION_LESS 2.2)
	target_compile_definitions(lwip_face INTERFACE SLUICE_LWIP_CLIB)
endif()

# Objects and not a library: lwIP calls the stack room (memory, output), which calls lwIP.
set(_sources def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out
	ipv4/ip4 ipv4/ip4_addr ipv6/icmp6 ipv6/inet6 ipv6/ip6 ipv6/ip6_addr ipv6/nd6)
list(TRANSFORM _sources PREPEND ${_lwip}/src/core/)
list(TRANSFORM _sources APPEND .c)
add_library(lwip OBJECT ${_sources})
target_compile_options(lwip PRIVATE -w -fno-strict-aliasing)
target_include_directories(lwip PRIVATE ${PROJECT_SOURCE_DIR}/core)
target_link_libraries(lwip PRIVATE lwip_face)
