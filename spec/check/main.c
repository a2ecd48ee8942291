/* swg_fleet_check: did the fleet keep its promises in a run that was recorded? */
#include "checker.h"

#include <getopt.h>
#include <string.h>

enum { FINE, VIOLATED, USAGE };

static int usage(FILE *to, int code)
{
    fputs("usage: swg_fleet_check [--allow LIST] [--json] FILE...\n"
          "\n"
          "Runs every recorded exchange between clients of a fleet and Redis through the step\n"
          "function, compares the replies, and holds the whole run against the invariants.\n"
          "All files are of one run; a file is JSON lines as the chaos proxy writes them.\n"
          "\n"
          "  --allow LIST  what may be assumed where a reply fits no order of the requests:\n"
          "                fresh (a shard was lost), rollback (a shard is an earlier one), or\n"
          "                both with a comma between. Each assumption is noted. Default: none\n"
          "  --json        the report as JSON\n"
          "\n"
          "Exit code: 0 no violation, 1 violations, 2 the arguments or a file are wrong.\n",
          to);
    return code;
}

static bool allow(const char *list, unsigned *allowed)
{
    while (*list) {
        size_t length = strcspn(list, ",");

        if (length == 5 && memcmp(list, "fresh", 5) == 0)
            *allowed |= ALLOW_FRESH;
        else if (length == 8 && memcmp(list, "rollback", 8) == 0)
            *allowed |= ALLOW_ROLLBACK;
        else
            return false;
        list += length;
        list += *list == ',';
    }
    return true;
}

static int check(char **files, int count, unsigned allowed, bool json)
{
    struct recording recording = {0};
    struct report report = {0};
    char why[2 * WHY_MAX];
    bool good = true;
    int code;

    for (int i = 0; good && i < count; i++)
        good = recording_read(&recording, files[i], &report, why);
    good = good && check_recording(&recording, allowed, &report, why);
    if (!good)
        fprintf(stderr, "swg_fleet_check: %s\n", why);
    else if (json)
        report_print_json(&report, stdout);
    else
        report_print(&report, stdout);
    code = !good ? USAGE : report.count[VIOLATION] > 0 ? VIOLATED : FINE;
    recording_free(&recording);
    report_free(&report);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"allow", required_argument, NULL, 'a'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    unsigned allowed = 0;
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h')
            return usage(stdout, FINE);
        if (option == 'a' && !allow(optarg, &allowed)) {
            fprintf(stderr, "swg_fleet_check: --allow %s: fresh, rollback or both\n", optarg);
            return USAGE;
        }
        if (option == '?')
            return usage(stderr, USAGE);
        json = json || option == 'j';
    }
    if (optind == argc)
        return usage(stderr, USAGE);
    return check(argv + optind, argc - optind, allowed, json);
}
