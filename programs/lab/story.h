/* The storyboard: what the lab prints, as text or, with --json, as one object a line. */
#ifndef SWG_LAB_STORY_H
#define SWG_LAB_STORY_H

#include "lab.h"

enum { STORY_INDENT = 12 }; /* of what belongs to a line of the story */

/* Something of the story behind its time, now or then; an object with its schema, type and time.
 * Text is broken where the terminal ends. */
void story_tell(lab *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void story_tell_at(lab *l, int64_t at_ns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void story_emit(lab *l, const char *type, json_t *object);

double story_seconds(const lab *l); /* since it began */
int story_breaker_worlds(const lab *l);

void story_begin(lab *l);
void story_healthy(lab *l);
void story_broken(lab *l, bool by_somebody);
void story_healed(lab *l, bool by_somebody);

/* Transitions are reported by several processes; they are told in order of their time, a little
 * later. story_flush() tells those up to then. */
void story_transition(member *m, const swg_event *event);
void story_flush(lab *l, int64_t until_ns);

void story_compare(lab *l);
void story_all_closed(lab *l);
void story_not_closed(lab *l);
void story_report(lab *l, const char *path); /* where it is, and how busy the machine was */
void story_death(member *m);
void story_care(lab *l); /* not all went as it should: what the numbers are worth */
void story_talk(member *m, const char *text); /* what a child said on stderr */
void story_note(lab *l, const char *text);

/* ", retry in 5.2 s", and, once in each world, the word for a circuit that does not stay closed. */
void story_what_next(char *text, size_t size, world *w, const swg_event *event);

/* story_states.c: who is in which state, where they do not agree and nothing has just changed.
 * False: none. */
bool story_states(lab *l);
void story_keys(lab *l);
void story_status(lab *l); /* the bottom line of a terminal */

/* story_fleet.c: a pending event of the fleet, once for all who took it; how one stands with Redis;
 * what happens to Redis. */
void story_view(lab *l, int at);
void story_mode(lab *l, int at);
void story_together(lab *l, const world *w, int missed); /* by how many instances */
void story_redis(lab *l, const redis_order *order, bool by_somebody);
void story_span(lab *l, lab_span which); /* the calls made in it */

/* table.c: the outage in numbers. */
void story_table(lab *l);

#endif
