-- admin: an operator's order on one circuit for the whole fleet, with an audit row.
local OVERRIDE = 10 -- of enum swg_cause

local function order()
  begin()
  key(5, ':a')
  local c = {name = text(4, 63, NAME), kb = K[6], kx = K[7], kl = K[8]}
  key(6, ':b:' .. c.name) key(7, ':x:' .. c.name) key(8, ':l:' .. c.name)
  c.to = int(5, 0, 4)
  if c.to == OPEN or c.to == HALF then fail('SWGARG', 'state') end
  local timed = c.to == FORCED or c.to == DISABLED
  c.ttl = int(6, timed and 1000000 or 0, timed and 2592000000000 or 0)
  c.who, c.reason = text(7, 120, '^[ -~]+$'), text(8, 120, '^[ -~]+$')
  if #K ~= 8 or #A ~= 8 then fail('SWGARG', 'count') end
  return c
end

local function plain(s) return (string.gsub(s, '|', '/')) end

local function admin()
  local c = order()
  local gc = clock()
  local s = parse_state(call('HGET', kst, c.name), c.name)
  c.ep, c.st, c.til, c.bo, c.trip = s.ep, s.st, s.til, 0, NO_TRIP
  enter()
  call('LTRIM', K[5], 0, 254)
  go(c, c.to, OVERRIDE, c.ttl > 0 and now + c.ttl or 0)
  call('LPUSH', K[5], table.concat({F(now), F(c.ep), plain(c.name), s.st, c.to, F(c.ttl), plain(c.who), plain(c.reason)}, '|'))
  finish(gc)
  return {F(c.ep), F(now)}
end

local ok, reply = pcall(admin)
if ok then return reply end
return refuse(reply)
