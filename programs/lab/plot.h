/* A plot over the time of the story, as SVG inside HTML. Colors come from the page's style sheet;
 * what a color says is also said by a pattern, an outline or a thickness. */
#ifndef SWG_LAB_PLOT_H
#define SWG_LAB_PLOT_H

#include <stdint.h>
#include <stdio.h>

typedef struct plot {
    FILE *file;
    int64_t start_ns, end_ns; /* of its x axis */
    double top;               /* of its y axis */
    int ribbons;              /* rows below it */
} plot;

/* Begins the picture: its frame, axes, and the outage's band. `title` is read to those who cannot
 * see it; `axis` names what y counts. */
void plot_begin(const plot *p, const char *title, const char *axis, int64_t outage_ns,
                int64_t healed_ns);

typedef double (*plot_value)(const void *of, int64_t at_ns);

/* Fills what lies between two curves, in steps of a fifth of a second. */
void plot_area(const plot *p, const char *class, plot_value low, plot_value high, const void *of);

/* A row of the ribbons: `class` from here to there. */
void plot_ribbon_label(const plot *p, int row, char label);
void plot_ribbon(const plot *p, int row, const char *class, int64_t from_ns, int64_t to_ns);

void plot_end(const plot *p);

#endif
