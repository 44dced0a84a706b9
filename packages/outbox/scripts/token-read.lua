-- The shared token with what is left of it by Redis's clock, so that clocks of several hosts are never compared.
--   KEYS[1] token
-- Returns {value, parameter, version, ms left, lifetime ms} or {} when there is none.
local token = redis.call('HMGET', KEYS[1], 'value', 'parameter', 'version', 'expiresAt', 'lifetime')
if not token[1] then return {} end
local time = redis.call('TIME')
local left = tonumber(token[4]) - (time[1] * 1000 + math.floor(time[2] / 1000))
return { token[1], token[2], token[3], tostring(left), token[5] }
