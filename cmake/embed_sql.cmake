# Compiles the migrations into the binary: src/runtime/sql/NNN_*.sql are the common ones, those of an entity
# stand in connectors/altinn3/sql/<entity>/NNN_*.sql. The number in the name is the version.
file(GLOB common CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/runtime/sql/[0-9]*.sql)
file(GLOB entities CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/connectors/altinn3/sql/*/[0-9]*.sql)
set(SYNC_SQL_FILES ${common} ${entities})
set(SYNC_SQL_C ${CMAKE_BINARY_DIR}/generated/migrations.c)
add_custom_command(OUTPUT ${SYNC_SQL_C}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${SYNC_SQL_FILES}" -DOUT=${SYNC_SQL_C}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
    DEPENDS ${SYNC_SQL_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
    COMMENT "Embedding migrations" VERBATIM)
