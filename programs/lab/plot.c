#include "plot.h"

enum {
    LEFT = 40,
    RIGHT = 548,
    TOP = 12,
    BOTTOM = 142,
    AXIS = 34, /* below the frame, for the x axis */
    RIBBON = 11,
    WIDTH = 556,
    TICK_S = 2
};

static const int64_t SECOND = 1000000000, STEP = 200000000;

static double x_of(const plot *p, int64_t at_ns)
{
    int64_t at = at_ns < p->start_ns ? p->start_ns : at_ns > p->end_ns ? p->end_ns : at_ns;
    return LEFT +
           (double)(RIGHT - LEFT) * (double)(at - p->start_ns) / (double)(p->end_ns - p->start_ns);
}

static double y_of(const plot *p, double value)
{
    double part = value > p->top ? 1 : value < 0 ? 0 : value / p->top;
    return BOTTOM - (BOTTOM - TOP) * part;
}

static void draw_y_axis(const plot *p, const char *axis)
{
    for (int i = 0; i <= 2; i++) {
        double value = p->top * i / 2, y = y_of(p, value);
        fprintf(p->file,
                "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"right\" x=\"%d\" y=\"%.1f\">%.0f</text>\n",
                LEFT, RIGHT, y, y, LEFT - 5, y + 4, value);
    }
    fprintf(p->file,
            "<text class=\"middle\" transform=\"translate(10 %d) rotate(-90)\">%s</text>\n",
            (TOP + BOTTOM) / 2, axis);
}

static void draw_x_axis(const plot *p)
{
    for (int64_t s = 0; p->start_ns + s * SECOND <= p->end_ns; s += TICK_S)
        fprintf(p->file, "<text class=\"middle\" x=\"%.1f\" y=\"%d\">%lld</text>\n",
                x_of(p, p->start_ns + s * SECOND), BOTTOM + 15, (long long)s);
    fprintf(p->file, "<text class=\"middle\" x=\"%d\" y=\"%d\">seconds</text>\n",
            (LEFT + RIGHT) / 2, BOTTOM + 29);
}

void plot_begin(const plot *p, const char *title, const char *axis, int64_t outage_ns,
                int64_t healed_ns)
{
    double from = x_of(p, outage_ns), to = x_of(p, healed_ns);
    int height = BOTTOM + AXIS + p->ribbons * RIBBON + (p->ribbons ? 4 : 0);
    fprintf(p->file, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, height,
            title);
    fprintf(p->file,
            "<rect class=\"band\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>"
            "<text class=\"note\" x=\"%.1f\" y=\"%d\">outage</text>\n",
            from, TOP, to - from, BOTTOM - TOP, from + 3, TOP - 2);
    draw_y_axis(p, axis);
    draw_x_axis(p);
}

void plot_area(const plot *p, const char *class, plot_value low, plot_value high, const void *of)
{
    fprintf(p->file, "<path class=\"%s\" d=\"", class);
    for (int64_t at = p->start_ns; at <= p->end_ns; at += STEP)
        fprintf(p->file, "%c%.1f %.1f", at == p->start_ns ? 'M' : 'L', x_of(p, at),
                y_of(p, high(of, at)));
    for (int64_t at = p->start_ns + (p->end_ns - p->start_ns) / STEP * STEP; at >= p->start_ns;
         at -= STEP)
        fprintf(p->file, "L%.1f %.1f", x_of(p, at), y_of(p, low(of, at)));
    fprintf(p->file, "Z\"/>\n");
}

static int ribbon_y(int row)
{
    return BOTTOM + AXIS + row * RIBBON + RIBBON / 2;
}

void plot_ribbon_label(const plot *p, int row, char label)
{
    fprintf(p->file, "<text class=\"right\" x=\"%d\" y=\"%d\">%c</text>\n", LEFT - 5,
            ribbon_y(row) + 4, label);
}

void plot_ribbon(const plot *p, int row, const char *class, int64_t from_ns, int64_t to_ns)
{
    fprintf(p->file, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", class,
            x_of(p, from_ns), x_of(p, to_ns), ribbon_y(row), ribbon_y(row));
}

void plot_end(const plot *p)
{
    fprintf(p->file, "</svg>\n");
}
