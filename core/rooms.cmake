# sluice_room(NAME SOURCES... [FOREIGN TARGETS...])
#
# One static library a room, linked along the edges of core/ROOMS and no
# others: an include that ROOMS does not allow fails in tools/check-includes,
# and a call that it does not allow fails to link in that room's unit tests.

file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/ROOMS _rooms REGEX "^room ")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/ROOMS)

foreach(_line IN LISTS _rooms)
	string(REGEX REPLACE " +" ";" _words "${_line}")
	list(GET _words 1 _name)
	list(REMOVE_AT _words 0 1 2)
	set(SLUICE_EDGES_${_name} ${_words})
endforeach()

function(sluice_room name)
	cmake_parse_arguments(ROOM "" "" "SOURCES;FOREIGN" ${ARGN})
	add_library(${name} STATIC ${ROOM_SOURCES})
	target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/core)
	target_link_libraries(${name} PUBLIC ${SLUICE_EDGES_${name}} PRIVATE sluice_flags ${ROOM_FOREIGN})
endfunction()
