# Writes the table of processors from the files in processors/. Parts of one stand in a folder of its name.
file(GLOB SYNC_PROCESSOR_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/processors/*.c)
file(GLOB SYNC_PROCESSOR_PARTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/processors/*/*.c)
set(SYNC_PROCESSOR_SOURCES ${SYNC_PROCESSOR_FILES} ${SYNC_PROCESSOR_PARTS})

# Compiled and tested, but not in the table: without its store no verb could do anything with it.
set(SYNC_PROCESSORS_UNREGISTERED delegation)

set(declarations "")
set(rows "")
foreach(source ${SYNC_PROCESSOR_FILES})
    get_filename_component(stem ${source} NAME_WE)
    if(stem IN_LIST SYNC_PROCESSORS_UNREGISTERED)
        continue()
    endif()
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
