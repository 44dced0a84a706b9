-- Gives out a token of the gateway's entrance. Only its digest is kept, under which the gateway finds whose it is; the index
-- bounds how many one key has of one app, and makes them revocable together.
-- A stable token is derived by the gateway from its caller's secret and a nonce: the nonce that stands here is answered as
-- long as the token made of it is there and has time left; otherwise the new one takes its place.
--   KEYS[1] the new token   KEYS[2] index of the holder's tokens   KEYS[3] stable record
--   ARGV[1] 'random', 'stable' or 'forced'   ARGV[2] digest   ARGV[3] nonce   ARGV[4] holder   ARGV[5] lifetime in ms
--   ARGV[6] a stable token with less left than this is replaced, in ms   ARGV[7] tokens at most   ARGV[8] prefix of KEYS[1]
-- Returns {nonce of the token that is good, what is left of it in ms}.
local kind, digest, owner, lifetime = ARGV[1], ARGV[2], ARGV[4], tonumber(ARGV[5])
if kind ~= 'random' then
  local record = redis.call('HMGET', KEYS[3], 'nonce', 'digest')
  local current = ARGV[8] .. (record[2] or '')
  -- One that is gone has -2 left.
  local left = record[1] and redis.call('PTTL', current) or -2
  if kind == 'stable' and left > tonumber(ARGV[6]) then return { record[1], left } end
  if kind == 'forced' and record[1] then
    redis.call('DEL', current)
    redis.call('ZREM', KEYS[2], record[2])
  end
  redis.call('HSET', KEYS[3], 'nonce', ARGV[3], 'digest', digest)
  redis.call('PEXPIRE', KEYS[3], lifetime)
end
local time = redis.call('TIME')
-- In microseconds: of two that were given out in the same millisecond the older one gives way, too.
local now = time[1] * 1000000 + time[2]
redis.call('SET', KEYS[1], owner, 'PX', lifetime)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], string.format('%.0f', now + lifetime * 1000), digest)
redis.call('PEXPIRE', KEYS[2], lifetime)
while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[7]) do
  redis.call('DEL', ARGV[8] .. redis.call('ZPOPMIN', KEYS[2])[1])
end
return { ARGV[3], lifetime }
