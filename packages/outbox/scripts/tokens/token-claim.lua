--- include token
--- include tell
-- Gives whoever needs a token the shared one if it serves, else the right to fetch one, if nobody has it and no fetch has
-- failed a moment ago. One step, so that nobody fetches what another has just stored.
--   KEYS[1] token   KEYS[2] lock   KEYS[3] failure
--   ARGV[1] fence   ARGV[2] ms the lock lasts   ARGV[3] 'need', 'ahead' (for a longer one than there is) or 'probe' (ask
--   the endpoint whatever stands here)   ARGV[4] the value that WeChat refused, or ''   ARGV[5] ms before its end from
--   which a token is renewed, a quarter of its lifetime at most   ARGV[6] ms between a failure and a probe
--   ARGV[7] the channel on which all processes learn that the token is refused   ARGV[8] ms since the refused call began
--   ARGV[9] ms for which the source's answer counts for more than a single refusal   ARGV[10] the first pause in ms   ARGV[11] the
--   longest   ARGV[12] how often the token may be repeated without asking the source each time
-- Returns {'token', …} as of include/token, {'failure', errcode or '', detail, ms until the next fetch}, {'busy'}, or {'lock',
-- version or '0', the refused value that the fetch is to replace or '', how often the source has repeated it, ms since it
-- was first refused}.
local token = readToken(KEYS[1])
local value = token[1]
-- Its source has given it again since then: it is the current one, and the refusal is known.
local since = tonumber(token[10] ~= '' and token[10] or nil) or math.huge
local known = since < tonumber(ARGV[8]) or (tonumber(token[8] or 0) <= 1 and since < tonumber(ARGV[9]))
local repeats = tonumber(token[8] or 0)
if value and value == ARGV[4] and token[6] ~= '1' and not known and repeats > 1 and repeats < tonumber(ARGV[12]) and since < 30000 then
  -- The source has said it twice, a moment ago: its token is given time, and the source none of our questions.
  pauseToken(KEYS[1], ARGV[10], ARGV[11])
  token = readToken(KEYS[1])
  tell(ARGV[7], 'paused')
elseif value and value == ARGV[4] and token[6] ~= '1' and not known then
  redis.call('HSET', KEYS[1], 'refused', '1')
  redis.call('HSETNX', KEYS[1], 'refusedAt', string.format('%.0f', now))
  tell(ARGV[7], 'refused')
  token[6] = '1'
end
if value and token[6] ~= '1' and ARGV[3] ~= 'probe' then
  local left = tonumber(token[4])
  local ahead = ARGV[3] == 'ahead' and math.min(tonumber(ARGV[5]), tonumber(token[5]) / 4) or 0
  if left > ahead then return { 'token', unpack(token) } end
end
local failure = redis.call('HMGET', KEYS[3], 'until', 'at', 'errcode', 'detail', 'probes')
if failure[1] then
  local left = tonumber(failure[1]) - now
  if ARGV[3] == 'probe' and failure[5] ~= '1' then left = math.min(left, tonumber(failure[2]) + tonumber(ARGV[6]) - now) end
  if left > 0 then return { 'failure', failure[3], failure[4], string.format('%.0f', left) } end
end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return { 'busy' } end
local refusedAt = tonumber(redis.call('HGET', KEYS[1], 'refusedAt') or now)
return { 'lock', token[3] or '0', token[6] == '1' and value or '', token[8] or '0', string.format('%.0f', now - refusedAt) }
