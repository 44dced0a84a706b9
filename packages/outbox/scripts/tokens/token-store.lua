--- include token
-- Stores a fetched token if nobody has stored another since its fetcher looked, and only for the holder of the lock:
-- a late answer never overwrites a newer token. The endpoint answers again, so its failure is forgotten.
--   KEYS[1] token   KEYS[2] lock   KEYS[3] failure
--   ARGV[1] value   ARGV[2] parameter   ARGV[3] lifetime in ms   ARGV[4] version it replaces, '0' for none
--   ARGV[5] the lock's fence   ARGV[6] the channel on which all processes hear of it
-- Returns the version, which rises only when the value is another one, or 0 if it was refused.
local stored = readToken(KEYS[1])
if (stored[3] or '0') ~= ARGV[4] or redis.call('GET', KEYS[2]) ~= ARGV[5] then return 0 end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'parameter', ARGV[2], 'lifetime', ARGV[3],
  'expiresAt', string.format('%.0f', now + tonumber(ARGV[3])), 'fetchedAt', string.format('%.0f', now))
redis.call('HDEL', KEYS[1], 'refused')
redis.call('DEL', KEYS[3])
local version = redis.call('HINCRBY', KEYS[1], 'version', stored[1] == ARGV[1] and 0 or 1)
redis.call('PUBLISH', ARGV[6], version)
return version
