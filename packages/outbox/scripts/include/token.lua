-- What the token's scripts share: the time, and the stored token as {value, parameter, version, ms left, lifetime in ms, '1' if
-- WeChat has refused it, its age in ms, how often its source has given it again after a refusal, ms for which it is not to be
-- used, ms since its source has given it again or '', '1' if WeChat has
-- taken a call with it}, or {} without one.
--- include clock
local now = nowMs()

local function readToken(key)
  local token = redis.call('HMGET', key, 'value', 'parameter', 'version', 'expiresAt', 'lifetime', 'refused', 'madeAt',
    'repeats', 'pausedUntil', 'repeatedAt', 'accepted')
  if not token[1] then return {} end
  local function ms(number) return string.format('%.0f', number) end
  return { token[1], token[2], token[3], ms(tonumber(token[4]) - now), token[5], token[6] or '',
    ms(now - tonumber(token[7] or '0')), token[8] or '0', ms(math.max(0, tonumber(token[9] or '0') - now)),
    token[10] and ms(now - tonumber(token[10])) or '', token[11] or '' }
end

-- The current token was refused once more: it is used again after a pause that grows with each time, but for the first. Returns
-- nothing; `first` and `longest` in ms.
local function pauseToken(key, first, longest)
  local repeats = redis.call('HINCRBY', key, 'repeats', 1)
  redis.call('HSET', key, 'repeatedAt', string.format('%.0f', now))
  if repeats == 1 then return end
  local pause = math.min(tonumber(first) * 2 ^ math.min(repeats - 2, 20), tonumber(longest))
  redis.call('HSET', key, 'pausedUntil', string.format('%.0f', now + pause))
end
