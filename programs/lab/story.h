/* The storyboard: what the lab prints, as text or, with --json, as one object a line. */
#ifndef SWG_LAB_STORY_H
#define SWG_LAB_STORY_H

#include "lab.h"

/* A line of the story behind its time; an object with its schema, type and time. */
void story_tell(lab *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void story_emit(lab *l, const char *type, json_t *object);

void story_begin(lab *l);
void story_healthy(lab *l);
void story_broken(lab *l, bool by_somebody);
void story_healed(lab *l, bool by_somebody);

/* Transitions are reported by several processes; they are told in order of their time, a little
 * later. story_flush() tells those up to then. */
void story_transition(member *m, const swg_event *event);
void story_flush(lab *l, int64_t until_ns);

bool story_states(lab *l); /* who is in which state, if they do not agree; false if they do */
void story_compare(lab *l);
void story_all_closed(lab *l);
void story_not_closed(lab *l);
void story_report(lab *l, const char *path); /* where it is, and how busy the machine was */
void story_death(member *m);
void story_talk(member *m, const char *text); /* what a child said on stderr */
void story_note(lab *l, const char *text);
void story_keys(lab *l);
void story_status(lab *l); /* the bottom line of a terminal */

/* ", retry in 5.2 s", and a word for the pattern everybody should have seen once. */
void story_what_next(char *text, size_t size, const swg_event *event);

/* story_fleet.c: a pending event of the fleet, once for all who took it; how one stands with Redis;
 * what happens to Redis. */
void story_view(lab *l, int at);
void story_mode(lab *l, int at);
void story_together(lab *l, const world *w);
void story_redis(lab *l, const redis_order *order, bool by_somebody);
void story_span(lab *l, lab_span which); /* the calls made in it */

/* table.c: the outage in numbers. */
void story_table(lab *l);

#endif
