# Compiles the migrations into the binary: src/runtime/sql/NNN_*.sql are the common ones, those of an entity
# stand in connectors/altinn3/sql/<entity>/NNN_*.sql. The number in the name is the version. The home of an
# entity's migrations is the one that its processor names.
file(GLOB common CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/runtime/sql/[0-9]*.sql)
file(GLOB entities CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/connectors/altinn3/sql/*/[0-9]*.sql)
set(SYNC_SQL_FILES "")
foreach(file ${common})
    list(APPEND SYNC_SQL_FILES "|${file}")
endforeach()
foreach(file ${entities})
    get_filename_component(directory ${file} DIRECTORY)
    get_filename_component(entity ${directory} NAME)
    set(processor ${CMAKE_SOURCE_DIR}/processors/${entity}.c)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${processor})
    file(STRINGS ${processor} home REGEX "^ +\\.home = \"")
    if(NOT home MATCHES "\"([a-z]+)\"")
        message(FATAL_ERROR "${file}: ${processor} names no home")
    endif()
    list(APPEND SYNC_SQL_FILES "${CMAKE_MATCH_1}|${file}")
endforeach()
set(SYNC_SQL_C ${CMAKE_BINARY_DIR}/generated/migrations.c)
add_custom_command(OUTPUT ${SYNC_SQL_C}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${SYNC_SQL_FILES}" -DOUT=${SYNC_SQL_C}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
    DEPENDS ${common} ${entities} ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
    COMMENT "Embedding migrations" VERBATIM)
