/* What the model of the fleet is made of: sizes, server, requests, views, probes. See fleet.pml. */
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
#define UNUSED 3

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
    d.on = s.on; d.row = s.row; d.ep = s.ep; d.st = s.st;
    d.bad = s.bad; d.want = s.want; d.id = s.id;
    d.res = s.res; d.res_id = s.res_id; d.res_ep = s.res_ep; d.g = s.g; d.res_g = s.res_g
}
inline clear_rep(x) { x.on = 0; x.st = 0; x.ep = 0; x.g = 0; x.granted = 0 }
inline clear_probe(i) { B[i].at = 0; B[i].id = 0; B[i].ep = 0; B[i].res = 0; B[i].g = 0 }
