-- Stores a fetched token if nobody has stored another since its fetcher looked, and only for the holder of the lock:
-- a late answer never overwrites a newer token.
--   KEYS[1] token   KEYS[2] lock
--   ARGV[1] value   ARGV[2] parameter   ARGV[3] lifetime in ms   ARGV[4] version it replaces, '0' for none
--   ARGV[5] the lock's fence
-- Returns the new version, or 0 if it was refused.
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[4] or redis.call('GET', KEYS[2]) ~= ARGV[5] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'parameter', ARGV[2], 'lifetime', ARGV[3],
  'expiresAt', string.format('%.0f', now + tonumber(ARGV[3])), 'fetchedAt', string.format('%.0f', now))
return redis.call('HINCRBY', KEYS[1], 'version', 1)
