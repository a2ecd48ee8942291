/* The fleet's protocol as a model: instances, a bad network, a server that can fail over.
 *
 * One circuit, one server M with an asynchronous replica R, NI instances, each with one thread that
 * exchanges and one that calls. The server's transition is the library's own C (server.c, judged in
 * judge.pml); this file is everything around it that can go wrong:
 *   network   one request under way per instance, and one more that is late or a duplicate
 *   time      the end of OPEN, of a lease, of the hold-off happen whenever they like, but no lease
 *             ends at the server before its holder has given the probe up (DRIFT removes that)
 *   failover  to whatever the replica holds, or to nothing (EMPTY)
 *   crash     of instance 0, which stays down or comes back as another reporter
 * Ghosts say what really happened. They are numbered by transitions ever made and survive
 * failovers, so "stale" means stale, whatever the epochs say. Only what the server itself counts is
 * lost with the server.
 *
 * Sizes: NI instances, NPROBE probes, NEED successes, KQ quorum, PXLIM expired leases, FO failovers
 * (from transition FOMIN on), CR crashes, TO timeouts, DU duplicates, MAXTR transitions after which
 * nothing new is started.
 * Assumptions: OPENGE (OPEN lasts a lease at least, as the library enforces: probes are bounded in
 * the whole fleet, not only per half-open period), DRIFT, EMPTY, SAMETAG and CLOCK (epochs differ
 * by the server's clock alone), MONO (clients ignore lower epochs), ALLOK (no probe fails), RETURN
 * (permits may go back unused), VOTES (evidence is an open breaker, not a rate), QUIET (no failures
 * after the first trip). ONCE counts the uses of a result.
 *
 * The lines printed are what replay.c understands. How to run it: spec/run. */
#include "state.pml"
#include "judge.pml"

/* An id no live lease, late request or result bears: in truth it never comes back. */
inline fresh(i)
{
    nid = 1;
    do
    :: nid == Z[i].id || nid == Z[i].res_id || nid == B[i].id || nid == P[i].granted ||
       nid == M.lease[i] || nid == R.lease[i] || IS_COUNTED(i, nid) || IS_OLD(i, nid) -> nid++
    :: else -> break
    od
}

active [NI] proctype Exchange()
{
    byte i = _pid;
    do
    :: d_step { (alive(i) && !waiting[i] && !Q[i].on && !P[i].on) ->
        Q[i].on = 1; Q[i].row = ROW(i);
        Q[i].ep = view[i].ep; Q[i].st = view[i].st; Q[i].g = view[i].g;
        Q[i].bad = (view[i].bad && view[i].st == CLOSED);
        if
        :: view[i].st != CLOSED && B[i].at == IDLE ->
            fresh(i); Q[i].want = 1; Q[i].id = nid; asked[i] = nid
        :: else
        fi;
        if
        :: B[i].at == DONE ->
            B[i].at = SENT;
            Q[i].res = B[i].res; Q[i].res_id = B[i].id; Q[i].res_ep = B[i].ep; Q[i].res_g = B[i].g
        :: else
        fi;
        waiting[i] = 1 }
    :: d_step { (alive(i) && waiting[i] && P[i].on) ->
        if :: B[i].at == SENT -> clear_probe(i) :: else fi;
#ifdef MONO
        if :: P[i].ep >= view[i].ep ->
#else
        if :: true ->
#endif
            if
            :: P[i].ep != view[i].ep || P[i].g != view[i].g ->
                view[i].st = P[i].st; view[i].ep = P[i].ep; view[i].g = P[i].g; view[i].bad = 0
            :: else
            fi;
            if
            :: P[i].granted != 0 && P[i].granted == asked[i] && B[i].at == IDLE ->
                B[i].at = FLYING; B[i].id = P[i].granted; B[i].g = P[i].g; B[i].ep = P[i].ep;
                n = 0;
                for (k : 0 .. NI-1) {
                    if :: B[k].at == FLYING && SAME_PERIOD(k, i) -> n++ :: else fi
                }
                I1_probes_bounded = (n <= NPROBE);
                assert(I1_probes_bounded)
            :: else
            fi
        :: else
        fi;
        asked[i] = 0; waiting[i] = 0; clear_rep(P[i]) }
    od
}

/* The application: failures while CLOSED, probes that end. A probe may also never end. */
active [NI] proctype Caller()
{
    byte i = _pid - NI;
    do
    :: d_step { (alive(i) && view[i].st == CLOSED && !view[i].bad && MAY_FAIL) -> view[i].bad = 1 }
    :: atomic { (alive(i) && B[i].at == FLYING) ->
        B[i].at = DONE;
        if
        :: B[i].res = OKR
#ifndef ALLOK
        :: B[i].res = FAILR
#endif
#ifdef RETURN
        :: B[i].res = UNUSED
#endif
        fi }
    od
}

/* `over`: a lost trip that comes back with its time over already. */
#define MAYBE_OVER(x) (x.ep > M.ep && x.st == OPEN)
#define MAYBE_TWICE (duplicates < DU && !Z[i].on)

inline arrive(i, is_over, twice)
{
    over = is_over; late = 0;
    before(i, Q[i], 0); SERVE(Q); judge(i, Q[i]);
    if
    :: twice -> duplicates++; copy_req(Z[i], Q[i]); printf("twice %d row=%d\n", i, Z[i].row)
    :: else -> if :: !Z[i].on -> M.seen[Q[i].row] = 0 :: else fi
    fi;
    clear_req(Q[i]);
    if
    :: waiting[i] && alive(i) ->
        P[i].on = 1; P[i].st = told_st; P[i].ep = told_ep; P[i].g = M.g; P[i].granted = granted
    :: else
    fi
}

inline arrive_late(i, is_over)
{
    over = is_over; late = M.seen[Z[i].row];
    before(i, Z[i], 1); SERVE(Z); judge(i, Z[i]);
    M.seen[Z[i].row] = 0; R.seen[Z[i].row] = 0; clear_req(Z[i])
}

active [NI] proctype Network()
{
    byte i = _pid - 2 * NI;
    do
    :: d_step { (Q[i].on && !P[i].on) -> arrive(i, 0, false) }
    :: d_step { (Q[i].on && !P[i].on && MAYBE_OVER(Q[i])) -> arrive(i, 1, false) }
    :: d_step { (Q[i].on && !P[i].on && MAYBE_TWICE) -> arrive(i, 0, true) }
    :: d_step { (Q[i].on && !P[i].on && MAYBE_TWICE && MAYBE_OVER(Q[i])) -> arrive(i, 1, true) }
    :: d_step { Z[i].on -> arrive_late(i, 0) }
    :: d_step { (Z[i].on && MAYBE_OVER(Z[i])) -> arrive_late(i, 1) }
    od
}

/* The holder's own deadline has passed: no probe of it runs any more. */
inline give_up(j)
{
    if :: B[j].at == FLYING -> B[j].at = DONE; B[j].res = FAILR :: else fi;
    P[j].granted = 0
}

active proctype Time()
{
    byte j;
    do
    :: d_step { (M.st == OPEN && !M.due && clock + 2 <= MAXTR) ->
#ifdef OPENGE
        for (k : 0 .. NI-1) { give_up(k) };
#endif
        M.due = 1; printf("due\n") }
    :: atomic {
        if
        :: (M.lease[0] != 0 && !M.expired[0]) -> j = 0
        :: (M.lease[1] != 0 && !M.expired[1]) -> j = 1
#if NR > 2
        :: (M.lease[2] != 0 && !M.expired[2]) -> j = 2
#endif
#if NR > 3
        :: (M.lease[3] != 0 && !M.expired[3]) -> j = 3
#endif
        fi;
        d_step {
#ifndef DRIFT
        if
        :: B[INST(j)].id == M.lease[j] || P[INST(j)].granted == M.lease[j] -> give_up(INST(j))
        :: else
        fi;
#endif
        M.expired[j] = 1; printf("expire %d\n", j); j = 0 } }
    :: d_step { M.hold ->
#ifndef DRIFT
        for (k : 0 .. NI-1) {
            if
            :: (B[k].id != 0 && B[k].id != M.lease[ROW(k)]) ||
               (P[k].granted != 0 && P[k].granted != M.lease[ROW(k)]) -> give_up(k)
            :: else
            fi
        };
#endif
        M.hold = 0; printf("release\n") }
#if CR > 0
    /* the record of the reporter that is no more */
    :: d_step { (crashes > 0 && M.bad[0] && (down || reborn)) -> M.bad[0] = 0; printf("forget\n") }
#endif
    od
}

#if FO > 0
inline copy_node(d, s)
{
    d.st = s.st; d.ep = s.ep; d.ps = s.ps; d.px = s.px; d.srv = s.srv; d.hold = s.hold; d.g = s.g;
    for (k : 0 .. NR-1) {
        d.lease[k] = s.lease[k]; d.expired[k] = s.expired[k];
        d.bad[k] = s.bad[k]; d.seen[k] = s.seen[k]
    };
    for (k : 0 .. NI-1) { d.used[k] = s.used[k] }
}
inline clear_node(d)
{
    d.st = 0; d.ep = 0; d.ps = 0; d.px = 0; d.srv = 0; d.hold = 0; d.g = 0;
    for (k : 0 .. NR-1) { d.lease[k] = 0; d.expired[k] = 0; d.bad[k] = 0; d.seen[k] = 0 };
    for (k : 0 .. NI-1) { d.used[k] = 0 }
}

active proctype Failover()
{
#ifndef EMPTY
    do
    :: d_step { failovers < FO -> copy_node(R, M); printf("replicate\n") }
    :: d_step { (failovers < FO && clock >= FOMIN) ->
        failovers++; copy_node(M, R); clear_node(R); M.due = 0; printf("failover\n") }
    od
#else
    d_step { failovers < FO -> failovers++; clear_node(M); M.due = 0; printf("failover\n") }
#endif
}
#endif

#if CR + TO > 0
/* What was under way is lost, or it comes late. */
inline lose(i)
{
    if
    :: Q[i].on && !Z[i].on ->
        copy_req(Z[i], Q[i]); M.seen[Q[i].row] = 0; R.seen[Q[i].row] = 0;
        printf("late %d row=%d\n", i, Z[i].row)
    :: true
    fi;
    clear_req(Q[i]); clear_rep(P[i]); waiting[i] = 0; asked[i] = 0
}

active proctype Faults()
{
    byte i;
    do
    :: atomic { (timeouts < TO || crashes < CR) ->
        if
        :: i = 0
        :: i = 1
#if NI > 2
        :: i = 2
#endif
        fi;
        if
        :: timeouts < TO && waiting[i] && alive(i) ->
            timeouts++; lose(i);
            if :: B[i].at == SENT -> B[i].at = DONE :: else fi
#if CR > 0
        :: crashes < CR && i == 0 ->
            crashes++; lose(i); clear_probe(i); printf("crash %d\n", i);
            view[i].st = CLOSED; view[i].ep = 0; view[i].g = 0; view[i].bad = 0;
            if :: down = 1 :: reborn = 1 fi
#endif
        :: else
        fi;
        i = 0 }
    od
}
#endif

#ifdef L_WEDGE    /* I5: HALF_OPEN is always left */
ltl wedge { !(<>[] (M.st == HALF)) }
#endif
#ifdef L_TRIP     /* I7a: a quorum that keeps failing opens the fleet */
ltl trip { <> (M.st != CLOSED) }
#endif
#ifdef L_KEEP     /* I7b: a trip that was the last thing to happen, and was seen, comes back */
#define lost (M.st == CLOSED && !down && \
    view[0].st == OPEN && view[0].g == clock && view[0].ep != M.ep)
#define back (M.st != CLOSED || down)
ltl keep { [] (lost -> <> back) }
#endif
#ifdef L_VIEWS    /* I8: after the last fault every view is the server's, again and again */
#define same (down || view[0].ep == M.ep)
ltl views { []<> same }
#endif
