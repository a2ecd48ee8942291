/* One client with one circuit, "db", and no Redis but what the test makes up. */
#ifndef ALONE_H
#define ALONE_H

#include <check.h>
#include <string.h>
#include <switchgear/fleet.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)
#define SERVER "$40\r\nabc4567890123456789012345678901234567890\r\n"

static swg_panel *panel;
static swg_circuit *circuit;
static swg_fleet *fleet;
static int64_t now;

static void start(void)
{
    now = 1000000 * MS;
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 4)), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "db", NULL), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, SWG_FLEET(.reporter = 1, .shards = 1), 5, now),
                     SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    swg_fleet_tick(fleet, now);
}

static void stop(void)
{
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
}

static int feed(const char *text)
{
    return swg_fleet_feed(fleet, 0, text, strlen(text), now);
}

#define HEAD "*9\r\n$16\r\n1790000000000000\r\n" SERVER "$5\r\n50000\r\n$1\r\n2\r\n"
#define GOOD HEAD "$1\r\n0\r\n$1\r\n0\r\n*0\r\n*0\r\n*0\r\n"
#define VIEWS(row) HEAD "$1\r\n0\r\n$1\r\n0\r\n*0\r\n*1\r\n" row "*0\r\n"
/* The last two of a view: opened at a failure rate, 8 of 9 calls at 2 of 2 hosts. */
#define WHY "$1\r\n1\r\n$13\r\n1|9|8|0|2|0|2\r\n"

#endif
