/* Rows of numbers with a column for each world. */
#ifndef SWG_LAB_TABLE_H
#define SWG_LAB_TABLE_H

#include "lab.h"

enum { TABLE_CELL = 40, TABLE_COLUMNS_MAX = 2 };

void table_head(lab *l, const char *title);
void table_row(lab *l, const char *label, char cells[][TABLE_CELL]);

/* The rows of the table about an outage; NULL behind the last. */
const char *table_label(int row);
void table_cell(char cell[TABLE_CELL], int row, const world *w, const tally_summary *s);

/* table_compact.c: a line for each world, for more than TABLE_COLUMNS_MAX. */
void table_compact(lab *l, const tally_summary *summaries);

/* table_json.c: the summaries of an outage, one for each world. */
void table_json(lab *l, const tally_summary *summaries);

#endif
