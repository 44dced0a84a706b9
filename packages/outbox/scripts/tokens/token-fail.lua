--- include token
--- include tell
-- Remembers that no token could be had, for all processes, so that together they do not ask in a loop. Each failure in a
-- row waits twice as long as the one before.
--   KEYS[1] failure   KEYS[2] lock   KEYS[3] token
--   ARGV[1] the lock's fence, or '' where a token was refused that had just been fetched   ARGV[2] errcode or ''
--   ARGV[3] detail   ARGV[4] first wait in ms   ARGV[5] longest wait in ms   ARGV[6] the channel
--   ARGV[7] without a fence: the refused value   ARGV[8] '1': probes wait as long as everybody
-- Returns the wait in ms, or 0: the lock, or the token in question, is not the current one any more.
if ARGV[1] ~= '' then
  if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
else
  if redis.call('HGET', KEYS[3], 'value') ~= ARGV[7] then return 0 end
  redis.call('HSET', KEYS[3], 'refused', '1')
end
local count = redis.call('HINCRBY', KEYS[1], 'count', 1)
local wait = math.min(tonumber(ARGV[4]) * 2 ^ math.min(count - 1, 20), tonumber(ARGV[5]))
redis.call('HSET', KEYS[1], 'errcode', ARGV[2], 'detail', ARGV[3],
  'at', string.format('%.0f', now), 'until', string.format('%.0f', now + wait), 'probes', ARGV[8])
-- Kept a while beyond the wait: the next failure is to be known as one in a row.
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', wait + 120000))
tell(ARGV[6], 'failed')
return wait
