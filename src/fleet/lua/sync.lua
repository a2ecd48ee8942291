-- sync: one exchange of one reporter with one shard. Everything up to the call of clock() only checks.
local match, format, concat = string.match, string.format, table.concat
local kcfg = K[4]
local WANT, RESULTS, ENTRIES, SWEEP, SWEEP_ALL = 64, 16, 256, 8, 64
local NUMBER, CALLS, DAY = 9007199254740991, 10000000, 86400000000
local LEASE_MAX, ALIVE, IDLE_MS, FAR = 60000000, 10000000, 86400000, 8000000000000000
-- Why a circuit came to its state: of enum swg_cause.
local FAILURE_RATE, SLOW_RATE, WAIT_OVER, PROBES_PASSED, PROBES_FAILED = 1, 2, 5, 6, 7
local VOTES, CLAIM, PROBES_LOST, OVERRIDE_ENDED = 12, 13, 14, 15
local me

local function view(e)
  local timed = e.st ~= CLOSED and e.st ~= HALF
  local age = e.st == CLOSED and e.til > 0 and max(now - e.til, 0) or -1
  return {e.name, F(e.ep), F(e.st), F(timed and max(e.til - now, 0) or 0), F(age), F(e.bo), F(e.cause), e.trip}
end

local function roster(kr)
  local gone = call('ZRANGEBYSCORE', kr, '-inf', F(now), 'LIMIT', 0, 8)
  if #gone > 0 then call('ZREM', kr, unpack(gone)) end
  local left = tonumber(call('ZSCORE', kr, me) or '0') - now
  if left < ALIVE / 2 or left > 2 * ALIVE then
    call('ZADD', kr, F(now + ALIVE), me)
    call('PEXPIRE', kr, 60000)
  end
  return call('ZCARD', kr)
end

-- A few closed circuits nobody reports on any more, per call, going round. Their keys carry the same
-- hash tag, so they live on this very node.
local function collect(gc, seen)
  local old = call('ZRANGEBYSCORE', kchg, '(' .. F(gc), '+inf', 'LIMIT', 0, 4)
  for _, name in ipairs(old) do
    local c = parse_state(call('HGET', kst, name), name)
    gc = c.ep
    if c.st == CLOSED and not seen[name] and floor(now / 1000) - MS_2024 - floor(c.ep / 4096) > IDLE_MS
      and call('EXISTS', T .. ':x:' .. name) == 0 then
      call('HDEL', kst, name) call('HDEL', kcfg, name) call('ZREM', kchg, name)
      call('UNLINK', T .. ':b:' .. name, T .. ':q:' .. name)
    end
  end
  return #old < 4 and 0 or gc
end

local function changes(cursor, views)
  local told = {}
  for _, v in ipairs(views) do told[v[1]] = true end
  local names = call('ZRANGEBYSCORE', kchg, '(' .. F(cursor), '+inf', 'LIMIT', 0, 256)
  if #names == 0 then return cursor, '0' end
  local raws = call('HMGET', kst, unpack(names))
  for i, name in ipairs(names) do
    local c = parse_state(raws[i], name)
    c.name, cursor = name, max(cursor, c.ep)
    if not told[name] then views[#views + 1] = view(c) end
  end
  return cursor, #names == 256 and '1' or '0'
end

-- All about the entries is made only where there are some: most exchanges have nothing to say, and to make
-- these functions would take as long as the rest of such an exchange.
local function circuits(ne)
  -- window calls_min failure_pct slow_pct quorum cap probes need fail_limit expiry_limit open open_max
  -- lease ramp quarantine
  local LOW = {100000, 1, 0, 0, 1, 1, 1, 1, 1, 1, 10000, 10000, 10000, 0, 0}
  local HIGH = {600000000, 1000000, 100, 100, 1000, 1000000, 64, 64, 64, 1000,
    3600000000, DAY, 60000000, 600000000, 3600000000}
  local DEFAULT = {10000000, 20, 50, 0, 2, 1000, 3, 3, 2, 12, 5000000, 60000000, 5000000, 10000000, 10000000}
  local WIN, CALLS_MIN, FAIL, SLOW, QUORUM, CAP, PROBES, NEED, FAIL_LIMIT, EXPIRY_LIMIT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  local OPEN_FOR, OPEN_MAX, LEASE, RAMP, QUARANTINE = 11, 12, 13, 14, 15

  -- Most circuits share a few configurations, and reading one takes longer than the rest of an entry.
  local known = {}

  local function config(raw)
    if known[raw] then return known[raw] end
    local v, n = {}, 0
    if #raw > 250 or string.find(raw, '[^%d|]') then return nil end
    for part in string.gmatch(raw .. '|', '([^|]*)|') do
      n = n + 1
      local x = #part <= 16 and tonumber(part)
      if n > 15 or not x or x < LOW[n] or x > HIGH[n] then return nil end
      v[n] = x
    end
    if n ~= 15 or v[OPEN_MAX] < v[OPEN_FOR] or v[OPEN_FOR] < v[LEASE] then return nil end
    known[raw] = v
    return v
  end

  local function result(i)
    local ep, seq = int(i, 0, NUMBER), int(i + 1, 1, NUMBER)
    local index, outcome = int(i + 2, 0, WANT - 1), int(i + 3, 0, 2)
    return {id = F(ep) .. '/' .. me .. '/' .. F(seq) .. '.' .. index, outcome = outcome}
  end

  -- The eleven numbers of an entry, at once: most of what an entry costs is text made into numbers. One
  -- with too many digits is out of its range.
  local NUMBERS = '^' .. string.rep('(%d+) ', 11) .. '$'

  local function entry(i, k)
    local name = text(i, 63, NAME)
    if not A[i + 13] then fail('SWGARG', 'count of arguments') end
    key(k, ':b:' .. name) key(k + 1, ':x:' .. name) key(k + 2, ':l:' .. name) key(k + 3, ':q:' .. name)
    local seq, cep, cst, crem, n, f, s, l, lopen, want, rev = match(concat(A, ' ', i + 1, i + 11) .. ' ', NUMBERS)
    if not seq then fail('SWGARG', 'number at ' .. (i + 1) .. ' to ' .. (i + 11)) end
    seq, cep, cst, crem, n, f, s, l = tonumber(seq), tonumber(cep), tonumber(cst), tonumber(crem), tonumber(n),
      tonumber(f), tonumber(s), tonumber(l)
    lopen, want, rev = tonumber(lopen), tonumber(want), tonumber(rev)
    if seq < 1 or seq > NUMBER or cep > NUMBER or cst > 4 or crem > DAY or n > CALLS or f + l > n or s > n
      or lopen > 1 or want > WANT or rev > 2147483647 then
      fail('SWGARG', 'range at ' .. (i + 1) .. ' to ' .. (i + 11))
    end
    local e = {name = name, kb = K[k], kx = K[k + 1], kl = K[k + 2], kq = K[k + 3], seq = seq, cep = cep, cst = cst,
      crem = crem, n = n, f = f, s = s, l = l, lopen = lopen, want = want, rev = rev}
    e.raw = A[i + 12]
    if e.raw ~= '' then
      e.offer = config(e.raw)
      if not e.offer then fail('SWGARG', 'config at ' .. (i + 12)) end
      e.raw = concat(e.offer, '|')
    end
    e.results = {}
    local count = int(i + 13, 0, RESULTS)
    for r = 1, count do e.results[r] = result(i + 10 + 4 * r) end
    return e, i + 14 + 4 * count
  end

  local es, names, seen = {}, {}, {}

  local function parse()
    local i = 7
    for j = 1, ne do
      es[j], i = entry(i, 2 + 4 * j)
      names[j] = es[j].name
      if seen[names[j]] then fail('SWGARG', 'circuit twice') end
      seen[names[j]] = true
    end
    if i ~= #A + 1 then fail('SWGARG', 'count of arguments') end
  end

  -- What a reporter adds to the totals, in their order; and the totals themselves, whose twelfth is a
  -- time before which no record expires.
  local function shares(r, n, f, s, l, bad, bad2, lopen)
    r[1], r[2], r[3], r[4], r[5], r[6], r[7] = n, f, s, l, bad, bad2, l > 0 and 1 or 0
    r[8], r[9], r[10] = l == 0 and lopen or 0, lopen, (n > 0 or lopen == 1) and 1 or 0
    return r
  end

  local function record(raw)
    local q, n, f, s, l, b, b2, o, x =
      match(raw, '^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|([01])|([01])|([01])|(%d+)$')
    if not q then return nil end
    return shares({seq = tonumber(q), expiry = tonumber(x)}, tonumber(n), tonumber(f), tonumber(s),
      tonumber(l), tonumber(b), tonumber(b2), tonumber(o))
  end

  local function totals(raw)
    if not raw then return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, first = FAR} end
    local n, f, s, l, b, b2, lr, v, v2, rp, x =
      match(raw, '^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$')
    if not n then return nil end
    return {tonumber(n), tonumber(f), tonumber(s), tonumber(l), tonumber(b), tonumber(b2), tonumber(lr),
      tonumber(v), tonumber(v2), tonumber(rp), first = tonumber(x)}
  end

  local function read_evidence(e)
    local b = call('HMGET', e.kb, 't', 'r:' .. me)
    e.t = totals(b[1]) or spoilt(e.kb, 't')
    e.t.mine = b[2] and (record(b[2]) or spoilt(e.kb, 'r:' .. me))
  end

  local function read_probes(e)
    local b = call('HMGET', e.kb, 'ps', 'pf', 'px', 'fl', 'q:' .. me)
    local q, wait = match(b[5] or '0|0', '^(%d+)|(%d+)$')
    e.ps, e.pf, e.px, e.failed = tonumber(b[1] or '0'), tonumber(b[2] or '0'), tonumber(b[3] or '0'), b[4] or ''
    e.q, e.wait = tonumber(q), tonumber(wait)
    if not (e.ps and e.pf and e.px and e.wait) then spoilt(e.kb, 'ps pf px q:' .. me) end
  end

  local function load()
    local st, cf = call('HMGET', kst, unpack(names)), call('HMGET', kcfg, unpack(names))
    for j, e in ipairs(es) do
      local s = parse_state(st[j], e.name)
      e.ep, e.st, e.til, e.bo, e.cause, e.trip, e.ep0 = s.ep, s.st, s.til, s.bo, s.cause, s.trip, s.ep
      e.srev, e.v, e.stored = 0, DEFAULT, cf[j]
      if cf[j] then
        local rev, rest = string.match(cf[j], '^(%d+)|(.+)$')
        local v = rest and config(rest)
        if not v then spoilt(kcfg, e.name) end
        e.srev, e.v = tonumber(rev), v
      end
      if e.st == CLOSED then read_evidence(e) elseif e.st == HALF then read_probes(e) end
    end
  end

  local function expire_keys(ms, ...)
    for _, k in ipairs({...}) do call('PEXPIRE', k, F(max(60000, floor(ms)))) end
  end

  -- Up to an eighth of jitter from the epoch: circuits that tripped together probe apart, and the
  -- whole fleet agrees on one time.
  local function open(e, cause)
    local most = e.v[OPEN_MAX]
    local wait = min(e.v[OPEN_FOR] * 2 ^ e.bo, most)
    go(e, OPEN, cause)
    wait = wait + floor(wait * (floor(e.ep / 4096) % 16) / 128)
    e.til, e.bo = now + min(wait, most), min(e.bo + 1, 16)
    save(e)
  end

  -- The leases of a half-open period that was interrupted have to end before there are new ones.
  local function end_override(e)
    if now < e.til then return end
    if e.st == FORCED then
      go(e, OPEN, OVERRIDE_ENDED, max(now, (floor(e.ep / 4096) + MS_2024) * 1000 + e.v[LEASE]))
    elseif e.st == DISABLED then go(e, CLOSED, OVERRIDE_ENDED, 0) end
  end

  -- The client saw a later history than this server holds. Pessimistically: a lost trip comes back,
  -- a half-open period whose leases may be lost starts again. What stays as it was keeps its cause.
  local function repair(e)
    if e.cep <= e.ep or e.cep > (floor(now / 1000) - MS_2024 + 60000) * 4096 then return end
    sep = max(sep, e.cep)
    if e.st == HALF then go(e, OPEN, CLAIM, now + e.v[LEASE])
    elseif e.st == CLOSED and e.cst >= OPEN and e.cst <= FORCED then
      e.trip = NO_TRIP
      go(e, OPEN, CLAIM, now + min(e.crem, e.v[OPEN_MAX]))
    else go(e, e.st, e.cause) end
  end

  local function is_bad(v, n, f, s)
    return (v[FAIL] > 0 and f > 0 and f * 100 >= v[FAIL] * n)
      or (v[SLOW] > 0 and s > 0 and s * 100 >= v[SLOW] * n)
  end

  local function add(t, r, sign)
    for i = 1, 10 do t[i] = t[i] + sign * r[i] end
  end

  -- Records that are over, a few of each circuit and not too many in one call: the rest is for the next.
  local swept = 0

  local function sweep(e, t)
    local room = min(SWEEP, SWEEP_ALL - swept)
    if now < t.first or room == 0 then return false end
    local dead, fields = call('ZRANGEBYSCORE', e.kx, '-inf', F(now), 'LIMIT', 0, room), {}
    for i, d in ipairs(dead) do
      fields[i] = 'r:' .. d
      if d == me then t.mine = nil end
    end
    if #dead > 0 then
      for _, raw in ipairs(call('HMGET', e.kb, unpack(fields))) do
        local r = raw and record(raw)
        if r then add(t, r, -1) end
      end
      call('HDEL', e.kb, unpack(fields))
      call('ZREM', e.kx, unpack(dead))
      swept = swept + #dead
    end
    local next = call('ZRANGE', e.kx, 0, 0, 'WITHSCORES')
    t.first = next[2] and tonumber(next[2]) or FAR
    return true
  end

  -- One reporter with much traffic must not outvote the rest: its counts shrink to the cap.
  local function summary(e)
    local n, f, s, l, cap = e.n, e.f, e.s, e.l, e.v[CAP]
    if n > cap then
      f, s, l = floor((2 * f * cap + n) / (2 * n)), floor((2 * s * cap + n) / (2 * n)), floor((2 * l * cap + n) / (2 * n))
      n = cap
    end
    local lopen = e.lopen == 1
    local bad = is_bad(e.v, n - l, f, s) or (lopen and l == 0)
    local bad2 = is_bad(e.v, n, f + l, s) or lopen
    return shares({seq = e.seq}, n, f, s, l, bad and 1 or 0, bad2 and 1 or 0, e.lopen)
  end

  -- Failures of local origin say nothing about the dependency, unless a quorum sees them. While
  -- traffic ramps up a quarter of the calls is enough, and the backoff goes on where it was. The hosts'
  -- own breakers count as votes: what opens them need not show in a rate.
  local function judge(e, t)
    local v, ramp = e.v, e.til > 0 and now >= e.til and now - e.til < e.v[RAMP]
    local n, f, bad, votes, least = t[1] - t[4], t[2], t[5], t[8], v[CALLS_MIN]
    if t[7] >= v[QUORUM] then n, f, bad, votes = t[1], t[2] + t[4], t[6], t[9] end
    if ramp then least = floor((least + 3) / 4) end
    local rate = is_bad(v, n, f, t[3]) and n >= least and bad >= v[QUORUM]
    local share = v[FAIL] > 0 and v[FAIL] or 50
    if not rate and (votes < v[QUORUM] or votes * 100 < share * t[10]) then return end
    if not ramp then e.bo = 0 end
    local cause = not rate and VOTES or is_bad(v, n, f, 0) and FAILURE_RATE or SLOW_RATE
    e.trip = format('%d|%.0f|%.0f|%.0f|%d|%d|%d', cause, n, f, t[3], bad, votes, t[10])
    open(e, cause)
  end

  -- Absolute summaries, replaced, never added: a request that comes twice or late changes nothing.
  local function evidence(e)
    local t = e.t or totals()
    local dirty, fresh = sweep(e, t), nil
    if e.seq > (t.mine and t.mine.seq or 0) then
      local r, win = summary(e), e.v[WIN]
      r.expiry = t.mine and t.mine.expiry or 0
      if r.expiry - now < win or r.expiry - now > 2 * win then
        r.expiry = now + win + floor(win / 4)
        fresh, t.first = r.expiry, min(t.first, r.expiry)
      end
      if t.mine then add(t, t.mine, -1) end
      add(t, r, 1)
      t.mine, dirty = r, true
    end
    judge(e, t)
    if e.st ~= CLOSED or not dirty then return end
    local all = format('%.0f|%.0f|%.0f|%.0f|%d|%d|%d|%d|%d|%d|%.0f', t[1], t[2], t[3], t[4], t[5], t[6], t[7],
      t[8], t[9], t[10], t.first)
    local r = t.mine
    if r then
      call('HSET', e.kb, 't', all, 'r:' .. me, format('%.0f|%d|%d|%d|%d|%d|%d|%d|%.0f', r.seq, r[1], r[2], r[3],
        r[4], r[5], r[6], r[9], r.expiry))
    else
      call('HSET', e.kb, 't', all)
    end
    if fresh then
      call('ZADD', e.kx, F(fresh), me)
      expire_keys(e.v[WIN] / 250, e.kb, e.kx)
    end
  end

  local function banned(e)
    local raw = call('HGET', e.kq, me)
    local til = raw and tonumber(string.match(raw, '^(%d+)|')) or 0
    return til > now and min(til - now, e.v[OPEN_MAX]) or 0
  end

  local function ban(e, who)
    local til, level = string.match(call('HGET', e.kq, who) or '0|0', '^(%d+)|(%d+)$')
    til, level = tonumber(til), tonumber(level)
    if now >= til + e.v[OPEN_MAX] then level = 0 end
    til = now + min(e.v[QUARANTINE] * 2 ^ level, e.v[OPEN_MAX])
    call('HSET', e.kq, who, F(til) .. '|' .. min(level + 1, 16))
    expire_keys(e.v[OPEN_MAX] / 500, e.kq)
  end

  -- Who failed where the fleet succeeded has a problem of its own: no probes for a while.
  local function close(e, failed)
    if e.v[QUARANTINE] > 0 then
      local done = {}
      for who in string.gmatch(failed, '%S+') do
        if not done[who] then ban(e, who) end
        done[who] = true
      end
    end
    go(e, CLOSED, PROBES_PASSED, now)
  end

  local function own(e)
    local members, mine, mark = call('ZRANGE', e.kl, 0, -1), 0, F(e.ep) .. '/' .. me .. '/'
    for _, id in ipairs(members) do
      if string.sub(id, 1, #mark) == mark then mine = mine + 1 end
    end
    return #members, mine
  end

  -- No more in flight than passes are missing: a dependency that is well meets as many as it takes.
  local function grant(e, missing)
    local live, mine = own(e)
    local room = min(e.want, e.v[PROBES] - live, missing - live, floor((e.v[PROBES] + 1) / 2) - mine)
    for i = 0, room - 1 do
      call('ZADD', e.kl, F(now + e.v[LEASE]), F(e.ep) .. '/' .. me .. '/' .. F(e.seq) .. '.' .. i)
    end
    return max(room, 0)
  end

  -- Expiry comes first: a result after its lease does not count. A live lease counts once.
  local function probes(e, quarantine)
    local v = e.v
    local ps, pf, px, failed, q, wait = e.ps or 0, e.pf or 0, e.px or 0, e.failed or '', e.q or 0, e.wait or 0
    local late = e.seq <= q
    px = px + call('ZREMRANGEBYSCORE', e.kl, '-inf', F(now))
      + call('ZREMRANGEBYSCORE', e.kl, '(' .. F(now + LEASE_MAX), '+inf')
    for _, r in ipairs(late and {} or e.results) do
      if call('ZREM', e.kl, r.id) == 1 then
        if r.outcome == 1 then ps = ps + 1
        elseif r.outcome == 0 then
          pf, wait, failed = pf + 1, now + v[LEASE], failed .. ' ' .. me
        end
      end
    end
    if pf >= v[FAIL_LIMIT] then open(e, PROBES_FAILED) return 0, 0 end
    if px >= v[EXPIRY_LIMIT] then open(e, PROBES_LOST) return 0, 0 end
    if ps >= v[NEED] then close(e, failed) return 0, 0 end
    local left = max(quarantine, wait - now, since > 0 and since + v[LEASE] - now or 0, 0)
    local count = 0
    if e.want > 0 and not late and left == 0 and (e.cep == e.ep or e.cep == e.ep0) then count = grant(e, v[NEED] - ps) end
    call('HSET', e.kb, 'ps', ps, 'pf', pf, 'px', px, 'fl', failed, 'q:' .. me, F(max(q, e.seq)) .. '|' .. F(wait))
    expire_keys((v[OPEN_MAX] + 2 * v[LEASE]) / 1000, e.kb, e.kl)
    return count, left
  end

  local function serve(e)
    if e.offer and e.rev > e.srev then
      e.srev, e.v, e.stored = e.rev, e.offer, F(e.rev) .. '|' .. e.raw
      call('HSET', kcfg, e.name, e.stored)
    end
    end_override(e)
    repair(e)
    if e.st == OPEN and e.til > now + e.v[OPEN_MAX] then
      e.til = now + e.v[OPEN_MAX]
      save(e)
    end
    if e.st == CLOSED and e.cep == e.ep then evidence(e) end
    local quarantine = e.want > 0 and banned(e) or 0
    if e.st == OPEN and now >= e.til and e.want > 0 and quarantine == 0 and e.cep == e.ep then
      go(e, HALF, WAIT_OVER, 0)
    end
    local count, wait = 0, 0
    if e.st == HALF then count, wait = probes(e, quarantine) end
    return count, wait, quarantine
  end

  local function answer(grants, views, offers)
    for _, e in ipairs(es) do
      local count, wait, quarantine = serve(e)
      if e.want > 0 then
        grants[#grants + 1] = {e.name, F(e.ep), F(e.seq), F(count), F(count > 0 and e.v[LEASE] or 0), F(wait), F(quarantine)}
      end
      if e.cep ~= e.ep then views[#views + 1] = view(e) end
      if e.rev ~= e.srev or (e.offer and e.stored ~= F(e.rev) .. '|' .. e.raw) then
        offers[#offers + 1] = {e.name, e.stored or '0'}
      end
    end
  end

  parse()
  return load, answer, seen
end

local function sync()
  begin()
  key(5, ':r')
  me = text(4, 63, '^[%w._:@-]+$')
  local cursor, ne = int(5, 0, NUMBER), int(6, 0, ENTRIES)
  local load, answer, seen = nil, nil, {}
  if #K ~= 5 + 4 * ne then fail('SWGARG', 'count of keys') end
  if ne > 0 then load, answer, seen = circuits(ne)
  elseif #A ~= 6 then fail('SWGARG', 'count of arguments') end
  local gc = clock()
  if load then load() end
  local lost = cursor > 0 and (cursor > sep or floor(cursor / 4096) < floor(born / 1000) - MS_2024)
  enter()
  local there = roster(K[5])
  local grants, views, offers = {}, {}, {}
  if answer then answer(grants, views, offers) end
  gc = collect(gc, seen)
  -- A cursor of what was here before somebody emptied it: the client has to begin anew, and say what it knows.
  local more = '0'
  if lost then cursor = 0 else cursor, more = changes(cursor, views) end
  finish(gc)
  local next_us = min(max(there * 4000, 50000), 2000000)
  return {F(now), srv, F(next_us), F(there), F(cursor), more, grants, views, offers}
end

local ok, reply = pcall(sync)
if ok then return reply end
return refuse(reply)
