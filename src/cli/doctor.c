/* doctor: looks at everything that a process needs and says what is wrong and how to mend it.
 * Changes nothing. Not here: the checks themselves (doctor_kafka.c, doctor_database.c). */
#include "doctor.h"

#include <stdarg.h>

void doctor_good(struct doctor *doctor, const char *check, const char *format, ...)
{
    char seen[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(seen, sizeof seen, format, args);
    va_end(args);
    sync_table_row(doctor->table, SYNC_CELLS(doctor->area, check, "ok", seen, ""));
}

void doctor_finding(struct doctor *doctor, const char *check, const char *fix, const char *format,
                    ...)
{
    char seen[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(seen, sizeof seen, format, args);
    va_end(args);
    sync_table_row(doctor->table, SYNC_CELLS(doctor->area, check, "FINDING", seen, fix));
    doctor->findings++;
}

int sync_cli_doctor(struct sync_cli *cli, int argc, char **argv)
{
    static const char *const columns[] = {"AREA", "CHECK", "RESULT", "SEEN", "FIX", NULL};
    struct homes homes;
    int wrong = homes_take(cli, "doctor", &argc, argv, &homes);
    wrong = wrong == 0 ? sync_cli_arguments("doctor", argc, argv, 0, 0) : wrong;
    if (wrong != 0) {
        return wrong;
    }
    struct doctor doctor = {.cli = cli, .table = sync_table_new(columns)};
    doctor.area = "kafka";
    doctor_kafka(&doctor);
    for (size_t i = 0; i < homes.count; i++) {
        doctor.area = homes.shown ? homes.items[i].name : "database";
        doctor_database(&doctor, &homes.items[i]);
    }
    sync_table_print(&doctor.table, cli->json, stdout);
    if (!cli->quiet) {
        (void)fprintf(stderr, "%d finding%s\n", doctor.findings, doctor.findings == 1 ? "" : "s");
    }
    return doctor.findings > 0 ? SYNC_EXIT_DIFFERENCES : SYNC_EXIT_OK;
}
