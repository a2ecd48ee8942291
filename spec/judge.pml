/* One request on the server, and whether the promises held. See fleet.pml; the numbers are those of
 * docs/design/fleet-model.md. */
/* Of the call being judged, set and used within one step: not part of the state. */
hidden byte was_st; hidden byte was_ep; hidden byte was_ps; hidden byte was_g; hidden byte was_due;
hidden byte was_bad; hidden byte others; hidden byte valid;
hidden byte over; hidden byte late; hidden byte row; hidden byte k; hidden byte n; hidden byte nid;
hidden byte fault; hidden byte granted; hidden byte taken; hidden byte told_st; hidden byte told_ep;
hidden byte I0_server_answers; hidden byte I1_probes_bounded; hidden byte I2_counted_once;
hidden byte I3_success_of_this_period; hidden byte I4_closed_by_probes;
hidden byte I5_half_open_ends; hidden byte I6_evidence_of_this_period;
hidden byte I8_view_is_the_servers; hidden byte I10_quorum; hidden byte I12_open_lasts;
hidden byte I13_only_late_is_void; hidden byte I14_no_probe_too_many;

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
    q_->result = now.X[i_].res; q_->result_id = now.X[i_].res_id; \
    q_->result_ep = now.X[i_].res_ep; \
    spec_serve(); \
    now.M.st = n_->st; now.M.ep = n_->ep; now.M.ps = n_->ps; now.M.px = n_->px; \
    now.M.srv = n_->srv; now.M.due = n_->due; now.M.hold = n_->hold; \
    memcpy(now.M.lease, n_->lease, NR); memcpy(now.M.expired, n_->expired, NR); \
    memcpy(now.M.bad, n_->bad, NR); memcpy(now.M.seen, n_->seen, NR); \
    fault = spec_reply.fault; granted = spec_reply.granted; taken = spec_reply.taken; \
    told_st = spec_reply.st; told_ep = spec_reply.ep; \
}

#ifdef ONCE
#define COUNTED(i, x) I2_counted_once = (x.res_id != M.used[i]); assert(I2_counted_once); \
    M.used[i] = x.res_id
#define FORGET_COUNTED for (k : 0 .. NI-1) { M.used[k] = 0 }
#define IS_COUNTED(i, id) ((id) == M.used[i] || (id) == R.used[i])
#else
#define COUNTED(i, x) skip
#define FORGET_COUNTED skip
#define IS_COUNTED(i, id) false
#endif

inline before(i, x, z)
{
    row = x.row;
    was_st = M.st; was_ep = M.ep; was_ps = M.ps; was_g = M.g; was_due = M.due;
    was_bad = M.bad[row];
    others = 0;
    for (k : 0 .. NR-1) { if :: k != row && M.bad[k] -> others++ :: else fi }
    /* a result is to count if it is of this period and its lease lives */
    valid = (x.res != NONE && x.res_g == M.g && M.st == HALF &&
        M.lease[row] == x.res_id && !M.expired[row]);
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
    :: taken && x.bad ->
        I6_evidence_of_this_period = (x.g == M.g);
        assert(I6_evidence_of_this_period)
    :: else
    fi;
    if
    :: M.ps > was_ps ->
        I3_success_of_this_period = (x.res == OKR && x.res_g == M.g);
        assert(I3_success_of_this_period);
        COUNTED(i, x)
    :: else
    fi;
    n = 0;
    for (k : 0 .. NR-1) { n = n + (M.lease[k] != 0) };
    I14_no_probe_too_many = (M.st != HALF || n + M.ps <= NEED);
    assert(I14_no_probe_too_many);
    I5_half_open_ends = (M.st != HALF ||
        (M.px < PXLIM && M.ps < NEED && !(valid && x.res == FAILR && !late)));
    assert(I5_half_open_ends);
    I13_only_late_is_void = !(valid && x.res == OKR && !late && M.ps == was_ps);
    assert(I13_only_late_is_void)
}

inline judge(i, x)
{
    printf(" => st=%d ep=%d ps=%d px=%d due=%d hold=%d granted=%d rows",
        M.st, M.ep, M.ps, M.px, M.due, M.hold, granted);
    for (k : 0 .. NR-1) { printf(" %d:%d", M.lease[k], M.bad[k]) }
    printf("\n");
    I0_server_answers = !fault;
    assert(I0_server_answers);
    I8_view_is_the_servers = (told_ep == M.ep && (told_ep == x.ep || told_st == M.st));
    assert(I8_view_is_the_servers);
    if :: M.ep != was_ep -> judge_step(i, x) :: else -> judge_stay(i, x) fi
}
