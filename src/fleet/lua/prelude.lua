-- Shared by every script of the fleet: arguments, time, epochs, transitions.
-- Keys, arguments and replies: docs/design/fleet-wire.md. The same rules in C: src/fleet/step.h.
local K, A = KEYS, ARGV
local call = redis.call
local floor, max, min = math.floor, math.max, math.min
local MS_2024 = 1704067200000
local SCHEMA = '1'
local CLOSED, OPEN, HALF, FORCED, DISABLED = 0, 1, 2, 3, 4

-- By what a circuit was judged when it last left CLOSED: `cause|n|f|s|bad|votes|reporters`. An order, and a
-- claim of what this server never saw, leave nothing to show.
local NO_TRIP = '0|0|0|0|0|0|0'

-- Lua 5.1 would print 1.76e+15
local function F(x) return string.format('%.0f', x) end

local function fail(kind, what) error({err = kind .. ' ' .. what}) end

-- A stored value that is none of ours, by its key and field.
local function spoilt(k, field) fail('SWGDATA', k .. ' ' .. field) end

local function int(i, lowest, highest)
  local a = A[i]
  if not a or #a > 16 or not string.find(a, '^%d+$') then fail('SWGARG', 'number at ' .. i) end
  local x = tonumber(a)
  if x < lowest or x > highest then fail('SWGARG', 'range at ' .. i) end
  return x
end

local function text(i, longest, pattern)
  local a = A[i]
  if not a or #a < 1 or #a > longest or not string.find(a, pattern) then
    fail('SWGARG', 'text at ' .. i)
  end
  return a
end

local NAME = '^[!-~]+$'

-- Every key is the one its place asks for, all under one hash tag: nothing else can be touched.
local T = K[1] and string.match(K[1], '^(swg1:{[^{}]+}):m$')
if not T then return redis.error_reply('SWGARG key 1') end
local function key(i, suffix)
  if K[i] ~= T .. suffix then fail('SWGARG', 'key ' .. i) end
  return K[i]
end

local kst, kchg
local now, srv, sep, since, born, tag
local changed = false

-- The header common to all scripts; reads only.
local function begin()
  key(2, ':st') key(3, ':chg') key(4, ':c')
  kst, kchg = K[2], K[3]
  now = int(1, 0, 8000000000000000)
  srv = A[2]
  if not srv or (srv ~= '' and (#srv ~= 40 or not string.find(srv, '^%x+$'))) then
    fail('SWGARG', 'server')
  end
  if A[3] ~= SCHEMA then fail('SWGARG', 'schema') end
end

-- Time and identity of the server. A small step back of the clock is held still. A run id not seen
-- before means a new master or a restart, with data that may be old or lost: `since` starts the hold-off.
-- Whoever empties a server that runs on is found by `born`, when the shard was empty.
local function clock()
  local m = call('HMGET', K[1], 'v', 'srv', 't', 'ep', 'since', 'gc', 'clock', 'born')
  if m[1] and m[1] ~= SCHEMA then fail('SWGVER', m[1]) end
  if m[7] ~= 'test' and (now ~= 0 or srv ~= '') then fail('SWGARG', 'clock') end
  local latest, gc
  latest, sep, since, gc = tonumber(m[3] or '0'), tonumber(m[4] or '0'), tonumber(m[5] or '0'), tonumber(m[6] or '0')
  if not (latest and sep and since and gc) then spoilt(K[1], 't ep since gc') end
  if now == 0 then
    local t = call('TIME')
    now = tonumber(t[1]) * 1000000 + tonumber(t[2])
  end
  if srv == '' then srv = string.match(call('INFO', 'server'), 'run_id:(%x+)') end
  if now < latest and latest - now < 60000000 then now = latest end
  if m[2] ~= srv then since = now end
  born = tonumber(m[8] or m[1] and '0' or now)
  if not born then spoilt(K[1], 'born') end
  since, born = min(since, now), min(born, now)
  tag = tonumber(string.sub(srv, 1, 3), 16)
  return gc
end

-- The first write. Redis refuses a script for want of memory at that one only, and only if it may grow:
-- a script that began by removing something would run to its end.
local function enter() call('HSET', K[1], 'v', SCHEMA, 'born', F(born)) end

-- Hybrid milliseconds and 12 bits of the server: never below the last, never equal on two servers.
local function mint()
  sep = max(floor(sep / 4096) + 1, floor(now / 1000) - MS_2024) * 4096 + tag
  return sep
end

local STATE = '^(%d+)|([0-4])|(%d+)|(%d+)|(%d%d?)|(%d+|%d+|%d+|%d+|%d+|%d+|%d+)$'

local function parse_state(raw, name)
  if not raw then return {ep = 0, st = CLOSED, til = 0, bo = 0, cause = 0, trip = NO_TRIP} end
  local a, b, c, d, e, f = string.match(raw, STATE)
  if not a then spoilt(kst, name) end
  return {ep = tonumber(a), st = tonumber(b), til = tonumber(c), bo = tonumber(d), cause = tonumber(e), trip = f}
end

local function save(c)
  call('HSET', kst, c.name, F(c.ep) .. '|' .. c.st .. '|' .. F(c.til) .. '|' .. c.bo .. '|' .. c.cause .. '|' .. c.trip)
end

-- Every transition passes here: a new epoch, its cause, and nothing of the old one left.
local function go(c, state, cause, til)
  c.ep, c.st, c.cause = mint(), state, cause
  if til then c.til = til end
  call('UNLINK', c.kb, c.kx, c.kl)
  call('ZADD', kchg, F(c.ep), c.name)
  save(c)
  changed = true
end

local function finish(gc)
  call('HSET', K[1], 'srv', srv, 't', F(now), 'ep', F(sep), 'since', F(since), 'gc', F(gc))
  -- A hint: whoever may not publish has done his part all the same.
  if changed then redis.pcall('PUBLISH', kchg, F(sep)) end
end

-- The error as its code and text, ours or the server's own (READONLY, OOM ...). What pcall hands over
-- differs between versions of Redis: a table, a string, a string with the place in front and the end of
-- a line behind, which must not get into the reply.
local function refuse(reply)
  local e = type(reply) == 'table' and reply.err or tostring(reply)
  local coded = string.match(e, '^%-?(%u%u+ [^%c]*)') or string.match(e, ': %-?(%u%u+ [^%c]*)')
  return redis.error_reply(coded or 'SWGDATA ' .. string.gsub(e, '%c', ' '))
end
