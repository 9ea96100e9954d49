# Writes the table of processors from the files in processors/.
file(GLOB SYNC_PROCESSOR_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/processors/*.c)
set(declarations "")
set(rows "")
foreach(source ${SYNC_PROCESSOR_SOURCES})
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
