# How every room is compiled.  Third-party sources are compiled without these.

add_library(sluice_flags INTERFACE)
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE)
target_compile_options(sluice_flags INTERFACE
	-Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wwrite-strings -Wformat=2
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wimplicit-fallthrough
	-Wno-missing-field-initializers
	-fno-strict-overflow -fstack-protector-strong)
# Messages are cut to fit on purpose; clang has no such warning.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	target_compile_options(sluice_flags INTERFACE -Wno-format-truncation)
endif()
if(SLUICE_WERROR)
	target_compile_options(sluice_flags INTERFACE -Werror)
endif()

# A bug ends the engine, which the keeper starts again; it does not go on in an unknown state:
# assertions stay in every build.
foreach(_type RELEASE RELWITHDEBINFO MINSIZEREL)
	string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${_type} "${CMAKE_C_FLAGS_${_type}}")
endforeach()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-Wl,-z,relro,-z,now -pie)
if(CMAKE_BUILD_TYPE MATCHES "^Rel" AND NOT SLUICE_SANITIZE)
	add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

# Sanitizers are for everything in the program, lwIP too.
if(SLUICE_SANITIZE)
	add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()
if(SLUICE_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
endif()
