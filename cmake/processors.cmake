# Writes the tables of processors and of their stores from the files in processors/ and connectors/altinn3/.
# Parts of a processor stand in a folder of its name. NAME_store.c defines sync_store_NAME.
file(GLOB SYNC_PROCESSOR_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/processors/*.c)
file(GLOB SYNC_PROCESSOR_PARTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/processors/*/*.c)
set(SYNC_PROCESSOR_SOURCES ${SYNC_PROCESSOR_FILES} ${SYNC_PROCESSOR_PARTS})

set(declarations "")
set(rows "")
foreach(source ${SYNC_PROCESSOR_FILES})
    get_filename_component(stem ${source} NAME_WE)
    string(APPEND declarations "extern const struct sync_processor sync_processor_${stem};\n")
    string(APPEND rows "    &sync_processor_${stem},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/processors_table.c CONTENT
"/* Generated from processors/. */
#include <altinn_sync/processor.h>

${declarations}
const struct sync_processor *const sync_processors[] = {
${rows}    NULL,
};
" @ONLY)

file(GLOB SYNC_STORE_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/connectors/altinn3/*_store.c)
set(declarations "")
set(rows "")
foreach(source ${SYNC_STORE_FILES})
    get_filename_component(stem ${source} NAME_WE)
    string(REGEX REPLACE "_store$" "" stem ${stem})
    string(APPEND declarations "extern const struct sync_store sync_store_${stem};\n")
    string(APPEND rows "    &sync_store_${stem},\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/stores_table.c CONTENT
"/* Generated from connectors/altinn3/. */
#include \"runtime/store.h\"

${declarations}
const struct sync_store *const sync_stores[] = {
${rows}    NULL,
};
" @ONLY)
