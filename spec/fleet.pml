/* The fleet's protocol as a model: instances, a bad network, a server that can fail over.
 *
 * One circuit, one server M with an asynchronous replica R, NI instances, each with one thread that
 * exchanges and one that calls. The server's transition is the library's own C (server.c); this file
 * is everything around it that can go wrong:
 *   network   one request under way per instance, and one more that is late or a duplicate
 *   time      the end of OPEN, of a lease, of the hold-off happen whenever they like, but no lease
 *             ends at the server before its holder has given the probe up (DRIFT removes that)
 *   failover  to whatever the replica holds, or to nothing (EMPTY)
 *   crash     of instance 0, which stays down or comes back as another reporter
 * Ghosts say what really happened. They are numbered by transitions ever made and survive failovers,
 * so "stale" means stale, whatever the epochs say. Only what the server itself counts is lost with
 * the server.
 *
 * Sizes: NI instances, NPROBE probes, NEED successes, KQ quorum, PXLIM expired leases, FO failovers,
 * (from transition FOMIN on), CR crashes, TO timeouts, DU duplicates, MAXTR transitions after which nothing new is started.
 * Assumptions: OPENGE (OPEN lasts a lease at least, as the library enforces: probes are bounded in
 * the whole fleet, not only per half-open period), DRIFT, EMPTY, SAMETAG and CLOCK (epochs differ by
 * the server's clock alone), MONO (clients ignore lower epochs), ONCE (count the uses of a result),
 * VOTES (evidence is an open breaker, not a rate), QUIET (no failures after the first trip).
 *
 * The lines printed are what replay.c understands. How to run it: spec/run. */
#ifndef NI
#define NI 2
#endif
#ifndef NPROBE
#define NPROBE 1
#endif
#ifndef NEED
#define NEED 1
#endif
#ifndef KQ
#define KQ 2
#endif
#ifndef PXLIM
#define PXLIM 2
#endif
#ifndef MAXTR
#define MAXTR 7
#endif
#ifndef FO
#define FO 0
#endif
#ifndef FOMIN
#define FOMIN 0
#endif
#ifndef CR
#define CR 0
#endif
#ifndef TO
#define TO 0
#endif
#ifndef DU
#define DU 0
#endif

#if CR > 0
#define NR (NI + 1)                       /* instance 0 comes back as row NI */
#define ROW(i) (((i) == 0 && reborn) -> NI : (i))
#define INST(r) ((r) == NI -> 0 : (r))
#define IS_OLD(i, id) ((i) == 0 && ((id) == M.lease[NI] || (id) == R.lease[NI]))
#else
#define NR NI
#define ROW(i) (i)
#define INST(r) (r)
#define IS_OLD(i, id) false
#endif

#define CLOSED 0
#define OPEN 1
#define HALF 2

#define NONE 0                            /* results */
#define OKR 1
#define FAILR 2

#define IDLE 0                            /* probes */
#define FLYING 1
#define DONE 2
#define SENT 3

typedef Node {
    byte st; byte ep; byte ps; byte px; byte srv = 1; bool due; bool hold;
    byte lease[NR]; bool expired[NR]; bool bad[NR]; bool seen[NR];
    byte g;                               /* ghost: the transition that led here */
    byte used[NI]                         /* ghost, with ONCE: the last lease each had counted */
}
typedef Req {
    bool on; byte row; byte ep; byte st; bool bad; bool want; byte id;
    byte res; byte res_id; byte res_ep;
    byte g; byte res_g                    /* ghosts: of the view, of the probe */
}
typedef Rep { bool on; byte st; byte ep; byte g; byte granted }
typedef View { byte st; byte ep; byte g; bool bad }
typedef Probe { byte at; byte id; byte ep; byte res; byte g }

Node M; Node R;
byte clock = 1;                           /* ghost: transitions ever made, never rolled back */
Req Q[NI]; Req Z[NI]; Rep P[NI];          /* under way, late, the reply */
View view[NI]; Probe B[NI];
bool waiting[NI]; byte asked[NI];
bool down; bool reborn;                   /* of instance 0 */
byte failovers; byte crashes; byte timeouts; byte duplicates;

#define alive(i) ((i) != 0 || !down)

/* Of the call being judged, set and used within one step: not part of the state. */
hidden byte was_st; hidden byte was_ep; hidden byte was_ps; hidden byte was_g; hidden byte was_due;
hidden byte was_hold; hidden byte was_lease; hidden byte was_bad; hidden byte others; hidden byte valid;
hidden byte over; hidden byte late; hidden byte row; hidden byte k; hidden byte n; hidden byte nid;
hidden byte fault; hidden byte granted; hidden byte taken; hidden byte told_st; hidden byte told_ep;
hidden byte I0_server_answers; hidden byte I1_probes_bounded; hidden byte I2_counted_once;
hidden byte I3_success_of_this_period; hidden byte I4_closed_by_probes; hidden byte I5_half_open_ends;
hidden byte I6_evidence_of_this_period; hidden byte I8_view_is_the_servers;
hidden byte I10_quorum; hidden byte I12_open_lasts; hidden byte I13_only_late_is_void;

c_decl {
\#include "server.h"
};

#ifdef CLOCK
#define NOW_CLOCK now.clock
#else
#define NOW_CLOCK 0
#endif

/* The whole step function, on M. */
#define SERVE(X) c_code { \
    struct spec_node *n_ = &spec_node; \
    struct spec_request *q_ = &spec_request; \
    int i_ = PNetwork->i; \
    n_->st = now.M.st; n_->ep = now.M.ep; n_->ps = now.M.ps; n_->px = now.M.px; \
    n_->srv = now.M.srv; n_->due = now.M.due; n_->hold = now.M.hold; \
    memcpy(n_->lease, now.M.lease, NR); memcpy(n_->expired, now.M.expired, NR); \
    memcpy(n_->bad, now.M.bad, NR); memcpy(n_->seen, now.M.seen, NR); \
    q_->row = now.X[i_].row; q_->ep = now.X[i_].ep; q_->st = now.X[i_].st; \
    q_->bad = now.X[i_].bad; q_->want = now.X[i_].want; q_->id = now.X[i_].id; \
    q_->late = late; q_->over = over; q_->server = now.failovers; q_->clock = NOW_CLOCK; \
    q_->result = now.X[i_].res; q_->result_id = now.X[i_].res_id; q_->result_ep = now.X[i_].res_ep; \
    spec_serve(); \
    now.M.st = n_->st; now.M.ep = n_->ep; now.M.ps = n_->ps; now.M.px = n_->px; \
    now.M.srv = n_->srv; now.M.due = n_->due; now.M.hold = n_->hold; \
    memcpy(now.M.lease, n_->lease, NR); memcpy(now.M.expired, n_->expired, NR); \
    memcpy(now.M.bad, n_->bad, NR); memcpy(now.M.seen, n_->seen, NR); \
    fault = spec_reply.fault; granted = spec_reply.granted; taken = spec_reply.taken; \
    told_st = spec_reply.st; told_ep = spec_reply.ep; \
}

#ifdef ONCE
#define COUNTED(i, x) I2_counted_once = (x.res_id != M.used[i]); assert(I2_counted_once); M.used[i] = x.res_id
#define FORGET_COUNTED for (k : 0 .. NI-1) { M.used[k] = 0 }
#define IS_COUNTED(i, id) ((id) == M.used[i] || (id) == R.used[i])
#else
#define COUNTED(i, x) skip
#define FORGET_COUNTED skip
#define IS_COUNTED(i, id) false
#endif

#ifdef OPENGE
#define SAME_PERIOD(a, b) true
#else
#define SAME_PERIOD(a, b) (B[a].g == B[b].g)
#endif

#ifdef QUIET
#define MAY_FAIL (clock == 1)
#else
#define MAY_FAIL (clock + 3 <= MAXTR)
#endif

inline clear_req(x)
{
    x.on = 0; x.row = 0; x.ep = 0; x.st = 0; x.bad = 0; x.want = 0; x.id = 0;
    x.res = 0; x.res_id = 0; x.res_ep = 0; x.g = 0; x.res_g = 0
}
inline copy_req(d, s)
{
    d.on = s.on; d.row = s.row; d.ep = s.ep; d.st = s.st; d.bad = s.bad; d.want = s.want; d.id = s.id;
    d.res = s.res; d.res_id = s.res_id; d.res_ep = s.res_ep; d.g = s.g; d.res_g = s.res_g
}
inline clear_rep(x) { x.on = 0; x.st = 0; x.ep = 0; x.g = 0; x.granted = 0 }
inline clear_probe(i) { B[i].at = 0; B[i].id = 0; B[i].ep = 0; B[i].res = 0; B[i].g = 0 }

inline before(i, x, z)
{
    row = x.row;
    was_st = M.st; was_ep = M.ep; was_ps = M.ps; was_g = M.g; was_due = M.due;
    was_bad = M.bad[row]; was_lease = M.lease[row];
    was_hold = M.hold || (M.srv != 1 + failovers);
    others = 0;
    for (k : 0 .. NR-1) { if :: k != row && M.bad[k] -> others++ :: else fi }
    /* a success counts if it is of this period, and the first time */
    valid = (x.res != NONE && x.res_g == M.g && M.st == HALF && M.lease[row] == x.res_id && !M.expired[row]);
    printf("serve %d z=%d row=%d late=%d ep=%d st=%d bad=%d want=%d id=%d res=%d of=%d/%d over=%d",
        i, z, row, late, x.ep, x.st, x.bad, x.want, x.id, x.res, x.res_ep, x.res_id, over)
}

/* A transition was made: was it a right one? */
inline judge_step(i, x)
{
    assert(clock < 250);
    clock++;
    M.g = clock;
    I12_open_lasts = (was_st != OPEN || M.st == OPEN || (M.st == HALF && was_due));
    assert(I12_open_lasts);
    I4_closed_by_probes = (M.st != CLOSED || was_st == CLOSED ||
        (was_st == HALF && was_ps + (x.res == OKR) >= NEED));
    assert(I4_closed_by_probes);
    if
    :: was_st == HALF && M.st == CLOSED ->
        I3_success_of_this_period = (x.res == OKR && x.res_g == was_g);
        assert(I3_success_of_this_period);
        COUNTED(i, x)
    :: was_st == CLOSED && M.st == OPEN && x.ep <= was_ep ->
        I6_evidence_of_this_period = (others + was_bad >= KQ || (x.bad && x.g == was_g));
        assert(I6_evidence_of_this_period);
        I10_quorum = (others + (was_bad || x.bad) >= KQ);
        assert(I10_quorum)
    :: else
    fi;
    FORGET_COUNTED
}

/* No transition: was everything counted that should be, and nothing else? */
inline judge_stay(i, x)
{
    M.g = was_g;
    if
    :: taken && x.bad -> I6_evidence_of_this_period = (x.g == M.g); assert(I6_evidence_of_this_period)
    :: else
    fi;
    if
    :: M.ps > was_ps ->
        I3_success_of_this_period = (x.res == OKR && x.res_g == M.g);
        assert(I3_success_of_this_period);
        COUNTED(i, x)
    :: else
    fi;
    I5_half_open_ends = (M.st != HALF || (M.px < PXLIM && M.ps < NEED && !(valid && x.res == FAILR && !late)));
    assert(I5_half_open_ends);
    I13_only_late_is_void = !(valid && x.res == OKR && !late && M.ps == was_ps);
    assert(I13_only_late_is_void)
}

inline judge(i, x)
{
    printf(" => st=%d ep=%d ps=%d px=%d due=%d hold=%d granted=%d rows", M.st, M.ep, M.ps, M.px, M.due, M.hold, granted);
    for (k : 0 .. NR-1) { printf(" %d:%d", M.lease[k], M.bad[k]) }
    printf("\n");
    I0_server_answers = !fault;
    assert(I0_server_answers);
    I8_view_is_the_servers = (told_ep == M.ep && (told_ep == x.ep || told_st == M.st));
    assert(I8_view_is_the_servers);
    if :: M.ep != was_ep -> judge_step(i, x) :: else -> judge_stay(i, x) fi
}

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
        Q[i].on = 1; Q[i].row = ROW(i); Q[i].ep = view[i].ep; Q[i].st = view[i].st; Q[i].g = view[i].g;
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
                for (k : 0 .. NI-1) { if :: B[k].at == FLYING && SAME_PERIOD(k, i) -> n++ :: else fi }
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
        if :: B[INST(j)].id == M.lease[j] || P[INST(j)].granted == M.lease[j] -> give_up(INST(j)) :: else fi;
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
        d.lease[k] = s.lease[k]; d.expired[k] = s.expired[k]; d.bad[k] = s.bad[k]; d.seen[k] = s.seen[k]
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
    :: Q[i].on && !Z[i].on -> copy_req(Z[i], Q[i]); M.seen[Q[i].row] = 0; R.seen[Q[i].row] = 0; printf("late %d row=%d\n", i, Z[i].row)
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

#ifdef L_WEDGE                            /* I5: HALF_OPEN is always left */
ltl wedge { !(<>[] (M.st == HALF)) }
#endif
#ifdef L_TRIP                             /* I7a: a quorum that keeps failing opens the fleet */
ltl trip { <> (M.st != CLOSED) }
#endif
#ifdef L_KEEP                             /* I7b: a trip that was the last thing to happen, and was seen, comes back */
#define lost (M.st == CLOSED && !down && view[0].st == OPEN && view[0].g == clock && view[0].ep != M.ep)
#define back (M.st != CLOSED || down)
ltl keep { [] (lost -> <> back) }
#endif
#ifdef L_VIEWS                            /* I8: after the last fault every view is the server's, again and again */
#define same (down || view[0].ep == M.ep)
ltl views { []<> same }
#endif
