# Compiles the templates of "processors new" into the binary: src/cli/scaffold/NAME.in becomes the row NAME.
file(GLOB SYNC_SCAFFOLD_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/scaffold/*.in)
set(SYNC_SCAFFOLD_C ${CMAKE_BINARY_DIR}/generated/scaffold.c)
add_custom_command(OUTPUT ${SYNC_SCAFFOLD_C}
    COMMAND ${CMAKE_COMMAND} "-DFILES=${SYNC_SCAFFOLD_FILES}" -DOUT=${SYNC_SCAFFOLD_C}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_scaffold_script.cmake
    DEPENDS ${SYNC_SCAFFOLD_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_scaffold_script.cmake
    COMMENT "Embedding templates" VERBATIM)
