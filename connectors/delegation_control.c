/* Marks in the stream as changes. Not here: records (delegation_record.c). */
#include "delegation_control.h"

struct delegation_change delegation_control_change(const struct delegation_control *control)
{
    struct delegation_change change = {
        .source = (int32_t)control->source,
        .stream = control->stream,
        .seq = control->seq,
        .weak = control->weak,
        .kind = DELEGATION_CONTROL,
        .op = control->snapshot_id ? DELEGATION_END : DELEGATION_TICK,
        .capture_time_us = control->capture_time_us,
        .by = DELEGATION_MACHINE,
    };
    if (control->snapshot_id) {
        change.has_snapshot_id = true;
        change.snapshot_id = *control->snapshot_id;
        change.has_snapshot_pos = true;
        change.snapshot_pos = control->snapshot_pos;
        change.has_target = true;
        change.target_kind = DELEGATION_TARGET_RESOURCE;
        change.has_target_id = true;
        change.target_id = control->resource;
    }
    return change;
}
