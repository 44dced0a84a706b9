--- include token
--- include tell
-- Stores a fetched token if nobody has stored another since its fetcher looked, and only for the holder of the lock:
-- a late answer never overwrites a newer token. The endpoint answers again, so its failure is forgotten. One that was refused
-- and comes again is the current one: it is used again, after a pause that grows with each time.
--   KEYS[1] token   KEYS[2] lock   KEYS[3] failure
--   ARGV[1] value   ARGV[2] parameter   ARGV[3] lifetime in ms   ARGV[4] version it replaces, '0' for none
--   ARGV[5] the lock's fence   ARGV[6] the channel on which all processes learn of it   ARGV[7] the first pause in ms,
--   or 0: this is about no call   ARGV[8] the longest
-- Returns the version, which rises only when the value is another one, or 0 if it was refused.
local stored = readToken(KEYS[1])
if (stored[3] or '0') ~= ARGV[4] or redis.call('GET', KEYS[2]) ~= ARGV[5] then return 0 end
local at = string.format('%.0f', now)
local same = stored[1] == ARGV[1]
if not same then
  redis.call('HDEL', KEYS[1], 'repeats', 'repeatedAt', 'refusedAt', 'pausedUntil', 'accepted')
  redis.call('HSET', KEYS[1], 'madeAt', at)
elseif stored[6] == '1' then
  if ARGV[7] == '0' then redis.call('HSET', KEYS[1], 'repeatedAt', at) else pauseToken(KEYS[1], ARGV[7], ARGV[8]) end
end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'parameter', ARGV[2], 'lifetime', ARGV[3],
  'expiresAt', string.format('%.0f', now + tonumber(ARGV[3])), 'fetchedAt', at)
redis.call('HDEL', KEYS[1], 'refused')
redis.call('DEL', KEYS[3])
local version = redis.call('HINCRBY', KEYS[1], 'version', same and 0 or 1)
tell(ARGV[6], version)
return version
