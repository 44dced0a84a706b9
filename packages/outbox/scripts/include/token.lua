-- What the token's scripts share: the time, and the stored token as {value, parameter, version, ms left, lifetime in ms, '1' if
-- WeChat has refused it}, or {} without one.
--- include clock
local now = nowMs()

local function readToken(key)
  local token = redis.call('HMGET', key, 'value', 'parameter', 'version', 'expiresAt', 'lifetime', 'refused')
  if not token[1] then return {} end
  return { token[1], token[2], token[3], string.format('%.0f', tonumber(token[4]) - now), token[5], token[6] or '' }
end
