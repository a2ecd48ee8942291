/* The report's style sheet: light and dark, and told apart without colors. */
#ifndef SWG_LAB_REPORT_STYLE_H
#define SWG_LAB_REPORT_STYLE_H

extern const char report_style[];

#endif
